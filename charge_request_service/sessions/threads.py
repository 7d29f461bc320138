"""Threads beside the event loop."""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

_Result = TypeVar("_Result")


class Threads:
    """A few threads that do what greenlets wait for."""

    def __init__(self, count: int) -> None:
        # Their own: the hub's look up names too, which may take all of them for a while.
        self._pool = ThreadPool(count)

    def run(
        self,
        work: Callable[..., _Result],
        *args: Any,
        after: Callable[[], None] = lambda: None,
    ) -> _Result:
        """Do something in a thread and wait for it.

        Args:
            work: what to do.
            *args: what it takes.
            after: is called in the event loop once it is done, also where nobody waits any more.

        Raises what `work` raises.
        """
        result: Any = self._pool.spawn(_outcome, work, args)
        result.rawlink(lambda _result: after())
        value, error = result.get()
        if error is not None:
            raise error
        done: _Result = value
        return done

    def close(self) -> None:
        """End the threads, once each has done what it is at."""
        self._pool.kill()


def _outcome(work: Callable[..., _Result], args: Any) -> tuple[_Result | None, Exception | None]:
    """Have an error be an outcome: gevent prints one that is raised in a thread."""
    try:
        return work(*args), None
    except Exception as error:
        return None, error
