"""Runs a benchmark as a command: its progress, its exit status, and a clean end if interrupted."""

import signal
from collections.abc import Callable
from typing import NoReturn

import gevent
from gevent import monkey
from rich.console import Console

from benchmarks.harness.errors import CannotMeasure
from local_stack.process import StartError

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(measure: Callable[[Console], int]) -> int:
    """Measure, and return the command's exit status.

    Args:
        measure: gets a console for its progress. CannotMeasure says why nothing can be measured,
            such as a process that does not start.
    """
    console = Console(highlight=False, markup=False, soft_wrap=True)
    raise_on_signal()
    try:
        return int(measure(console))
    except KeyboardInterrupt:
        console.print("interrupted; every process that was started has been ended")
        return _INTERRUPTED
    except (CannotMeasure, StartError) as error:
        console.print(f"error: {error}")
        return 1


def raise_on_signal() -> None:
    """Raise KeyboardInterrupt here on Ctrl-C and SIGTERM, once.

    A second signal would interrupt the shutdown of the processes.
    """
    if monkey.is_module_patched("socket"):
        _raise_in_this_greenlet()
        return
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _raise_in_this_greenlet() -> None:
    """Do so here, whatever greenlet is running: Python would raise it in any, as a vehicle's."""
    here = gevent.getcurrent()
    is_raised = False

    def interrupt() -> None:
        nonlocal is_raised
        if not is_raised:
            is_raised = True
            gevent.get_hub().loop.run_callback(here.throw, KeyboardInterrupt())

    for number in _SIGNALS:
        gevent.signal_handler(number, interrupt)
