"""`python -m benchmarks.comparison`: patches the sockets before anything else imports them."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - after the patch

from benchmarks.comparison.cli import main  # noqa: E402 - after the patch

if __name__ == "__main__":
    sys.exit(main())
