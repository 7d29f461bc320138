"""Threads for blocking calls."""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool

_Result = TypeVar("_Result")


class Threads:
    """A pool of threads; greenlets wait for the results."""

    def __init__(self, count: int) -> None:
        # Not the hub's pool: slow name look-ups may occupy all of its threads.
        self._pool = ThreadPool(count)

    def run(
        self,
        work: Callable[..., _Result],
        *args: Any,
        after: Callable[[], None] = lambda: None,
    ) -> _Result:
        """Call a function in a thread, and wait for its result. Raises what it raises.

        `after` is called in the event loop when it is done, even if nobody waits any more.
        """
        result: Any = self._pool.spawn(_outcome, work, args)
        result.rawlink(lambda _result: after())
        value, error = result.get()
        if error is not None:
            raise error
        done: _Result = value
        return done

    def close(self) -> None:
        """End the threads after their current calls."""
        self._pool.kill()


def _outcome(work: Callable[..., _Result], args: Any) -> tuple[_Result | None, Exception | None]:
    """Return an error instead of raising it: gevent prints what a thread raises."""
    try:
        return work(*args), None
    except Exception as error:
        return None, error
