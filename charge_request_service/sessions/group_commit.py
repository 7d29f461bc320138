"""Group commit: what many greenlets write goes into one transaction, made in a thread.

A greenlet waits for the commit of what it wrote, and the event loop for none: while one commit is
made the next batch gathers.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import AsyncResult, Event

from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.threads import Threads

_Job = TypeVar("_Job")

# Between attempts to write what could not be written, seconds.
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 1.0
# More rows in one transaction save nothing, and hold up those that come next.
_MAX_BATCH = 256


class PendingWrite(Generic[_Job]):
    """A submitted job."""

    __slots__ = ("_result", "job", "lasting", "submitted_at")

    def __init__(self, job: _Job, *, lasting: bool, awaited: bool) -> None:
        self.job = job
        self.lasting = lasting
        self.submitted_at = time.monotonic()
        self._result: AsyncResult[bool] | None = AsyncResult() if awaited else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the commit; return what `write` returned for the job.

        Raises:
            LedgerUnavailable: it was not written, and will not be.
            gevent.Timeout: `timeout_s` passed; it may yet be written.
        """
        return self._result is not None and bool(self._result.get(timeout=timeout_s))

    def done(self, reported: bool) -> None:
        """Have it committed."""
        if self._result is not None:
            self._result.set(reported)

    def fail(self, error: LedgerUnavailable) -> None:
        """Give it up."""
        if self._result is not None:
            self._result.set_exception(error)


class GroupCommit(Generic[_Job]):
    """Writes jobs in the order in which they were submitted.

    Attributes:
        unavailable_reason: why nothing can be written now; None if it can.
        waiting: how many jobs wait for their commit.
    """

    def __init__(
        self,
        threads: Threads,
        write: Callable[[Sequence[_Job]], Sequence[bool]],
        *,
        pause_s: float,
        long_pause_s: float,
        committed: Callable[[int, float], None],
        changed: Callable[[str | None], None],
    ) -> None:
        """Prepare; the first job starts it.

        Args:
            threads: one, where it writes.
            write: commits some jobs and tells something of each; raises LedgerUnavailable where it
                cannot; none is to try whether it can. Runs in the thread.
            pause_s: least time between the beginnings of two commits, seconds: a job waits for as
                long at most so that more come to share its commit, not at all after a quiet time.
            long_pause_s: the same where nobody waits for any of the jobs.
            committed: is told of each commit: how many jobs, and how long the first one waited.
            changed: is told why nothing can be written, and None once something can be.
        """
        self._threads = threads
        self._write = write
        self._pause_s, self._long_pause_s = pause_s, long_pause_s
        self._committed = committed
        self._changed = changed
        self._pending: list[PendingWrite[_Job]] = []
        self._submitted, self._awaited = Event(), Event()
        self._writing_since = math.inf
        self._greenlet: gevent.Greenlet[Any, None] | None = None
        self.unavailable_reason: str | None = None
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many jobs wait to be written."""
        return len(self._pending)

    def stalled_s(self) -> float:
        """Tell for how long the commit that is being made has taken, seconds."""
        return max(0.0, time.monotonic() - self._writing_since)

    def submit(self, job: _Job, *, lasting: bool, awaited: bool) -> PendingWrite[_Job]:
        """Have a job written.

        Args:
            job: what to write.
            lasting: try until it is written.
            awaited: somebody is going to wait for it.

        Raises:
            LedgerUnavailable: nothing can be written now, and it is not lasting.
        """
        if self.unavailable_reason is not None and not lasting:
            raise LedgerUnavailable(self.unavailable_reason)
        pending = PendingWrite(job, lasting=lasting, awaited=awaited)
        self._pending.append(pending)
        if len(self._pending) == 1:
            self._submitted.set()
        if awaited or len(self._pending) >= _MAX_BATCH:
            self._awaited.set()
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
        return pending

    def withdraw(self, pending: PendingWrite[_Job]) -> bool:
        """Take a job back; False where it may be written already."""
        if pending not in self._pending:
            return False
        self._pending.remove(pending)
        return True

    def close(self, timeout_s: float) -> int:
        """Write what waits, for so long at most; return how many jobs were not written."""
        self._closing = True
        self._submitted.set()
        self._awaited.set()
        if self._greenlet is not None:
            self._greenlet.join(timeout=timeout_s)
            self._greenlet.kill(block=False)
        return len(self._pending)

    def _run(self) -> None:
        began, pause_s = 0.0, _FIRST_PAUSE_S
        while True:
            if not self._pending and self.unavailable_reason is None:
                if self._closing:
                    return
                self._submitted.clear()
                self._submitted.wait()
            self._gather(began)
            began = time.monotonic()
            if self._commit():
                pause_s = _FIRST_PAUSE_S
            else:
                gevent.sleep(pause_s)
                pause_s = min(_MAX_PAUSE_S, 2 * pause_s)

    def _gather(self, began: float) -> None:
        """Let jobs come together, after a commit that began then."""
        if not self._closing:
            self._awaited.wait(max(0.0, began + self._long_pause_s - time.monotonic()))
            gevent.sleep(max(0.0, began + self._pause_s - time.monotonic()))
        self._awaited.clear()

    def _commit(self) -> bool:
        """Write a batch; tell whether it could be."""
        batch, self._pending = self._pending[:_MAX_BATCH], self._pending[_MAX_BATCH:]
        if len(self._pending) >= _MAX_BATCH:
            self._awaited.set()
        self._writing_since = time.monotonic()
        try:
            reported = self._threads.run(self._write, [pending.job for pending in batch])
        except Exception as error:
            why = str(error) if isinstance(error, LedgerUnavailable) else repr(error)
            waiting = batch + self._pending
            self._pending = [pending for pending in waiting if pending.lasting]
            for pending in waiting:
                if not pending.lasting:
                    pending.fail(LedgerUnavailable(why))
            self._set_unavailable(why)
            return False
        finally:
            self._writing_since = math.inf
        if batch:
            self._committed(len(batch), time.monotonic() - batch[0].submitted_at)
        for pending, one in zip(batch, reported, strict=True):
            pending.done(one)
        self._set_unavailable(None)
        return True

    def _set_unavailable(self, reason: str | None) -> None:
        if reason != self.unavailable_reason:
            self.unavailable_reason = reason
            self._changed(reason)
