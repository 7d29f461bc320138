"""`python -m load_tester`: patches the sockets before anything else can take hold of them."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - after the patch

from load_tester.cli import main  # noqa: E402 - after the patch

if __name__ == "__main__":
    sys.exit(main())
