"""Waiting in a test whose own greenlets have to go on meanwhile."""

from collections.abc import Callable

import gevent


def wait_until(condition: Callable[[], object], within_s: float = 10) -> None:
    """Let other greenlets run until a condition holds; fail where it does not in time."""
    with gevent.Timeout(within_s, AssertionError(f"not within {within_s:g} s")):
        while not condition():
            gevent.sleep(0.005)
