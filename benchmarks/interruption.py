"""How a measurement ends that is told to stop."""

import signal
from typing import NoReturn

STATUS = 130
WORDS = "interrupted; every process that was started has been ended"


def raise_on_signal() -> None:
    """Have Ctrl-C and SIGTERM raise KeyboardInterrupt, once.

    A second signal, from an impatient finger, would break off the end of the processes.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
