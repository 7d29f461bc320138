"""Waiting in tests: poll until a deadline and show the last error; no fixed sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# What a crowded machine may need for what otherwise takes a moment, seconds.
PATIENCE_S = 30.0


def eventually(check: Callable[[], T], within_s: float = PATIENCE_S, every_s: float = 0.02) -> T:
    """Return the result of `check` once it stops raising AssertionError or OSError."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return check()
        except (AssertionError, OSError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within_s:g} s: {error}") from error
        time.sleep(every_s)
