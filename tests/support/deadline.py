"""Waiting in tests: poll to a deadline and show the last error, never sleep and hope."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], within_s: float = 5, every_s: float = 0.02) -> T:
    """Return what `check` returns once it stops raising AssertionError or OSError."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return check()
        except (AssertionError, OSError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s:g} s: {error}") from error
        time.sleep(every_s)
