"""`python -m load_tester`: patches the sockets before anything else imports them."""

import signal

# Nothing to clean up during the imports: Ctrl-C ends the program without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402 - after the patch

from load_tester.cli import main  # noqa: E402 - after the patch

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
