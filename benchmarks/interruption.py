"""How to end a measurement that is interrupted."""

import signal
from typing import NoReturn

STATUS = 130
WORDS = "interrupted; every process that was started has been ended"


def raise_on_signal() -> None:
    """Raise KeyboardInterrupt on Ctrl-C and SIGTERM, once.

    A second signal would interrupt the shutdown of the processes.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
