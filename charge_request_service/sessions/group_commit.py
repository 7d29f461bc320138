"""Group commit: the writes of many greenlets share one transaction, which runs in a thread.

Each greenlet waits for its own commit, and the event loop waits for none. While one commit runs,
the next batch gathers.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from gevent.event import AsyncResult, Event

from charge_request_service.sessions.errors import LedgerUnavailable
from charge_request_service.sessions.store import Job
from charge_request_service.sessions.threads import Threads

# Bounds of the growing pauses after a failed commit, seconds.
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 1.0
# More rows in one transaction save nothing, and delay the next ones.
_MAX_BATCH = 256


class PendingWrite:
    """A submitted job."""

    __slots__ = ("_result", "job", "lasting", "submitted_at")

    def __init__(self, job: Job, *, lasting: bool, awaited: bool) -> None:
        self.job = job
        self.lasting = lasting
        self.submitted_at = time.monotonic()
        self._result: AsyncResult[bool] | None = AsyncResult() if awaited else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the commit of an awaited job; return what `write` returned for it.

        Raises:
            LedgerUnavailable: the job was given up.
            gevent.Timeout: `timeout_s` passed; the job may still be written.
        """
        return self._result is not None and bool(self._result.get(timeout=timeout_s))

    def done(self, reported: bool) -> None:
        """Wake the greenlet that waits: the job is committed."""
        if self._result is not None:
            self._result.set(reported)

    def fail(self, error: LedgerUnavailable) -> None:
        """Wake the greenlet that waits: the job was given up."""
        if self._result is not None:
            self._result.set_exception(error)


class GroupCommit:
    """Writes jobs in the order in which they were submitted.

    Attributes:
        unavailable_reason: why nothing can be written now; None if it can.
    """

    def __init__(
        self,
        threads: Threads,
        write: Callable[[Sequence[Job]], Sequence[bool]],
        *,
        pause_s: float,
        long_pause_s: float,
        committed: Callable[[int, float], None],
        changed: Callable[[str | None], None],
    ) -> None:
        """Create an empty queue; its greenlet starts with the first job.

        Args:
            threads: a single thread, in which `write` runs.
            write: commits some jobs and returns something for each; raises LedgerUnavailable if it
                cannot. Without jobs it only tests whether it could.
            pause_s: minimum time between the beginnings of two commits, seconds. A job waits at
                most this long so that others share its commit, and not at all after a quiet time.
            long_pause_s: the same if nobody waits for any of the jobs.
            committed: called after each commit: with the number of jobs, and the wait of the first.
            changed: called with the reason when writing becomes impossible, and with None when it
                is possible again.
        """
        self._threads = threads
        self._write = write
        self._pause_s, self._long_pause_s = pause_s, long_pause_s
        self._committed = committed
        self._changed = changed
        self._pending: list[PendingWrite] = []
        self._submitted, self._awaited = Event(), Event()
        self._writing_since = math.inf
        self._greenlet: gevent.Greenlet[Any, None] | None = None
        self.unavailable_reason: str | None = None
        self._closing = False

    @property
    def waiting(self) -> int:
        """Number of jobs that wait to be written."""
        return len(self._pending)

    def stalled_s(self) -> float:
        """Return how long the current commit has taken so far, seconds."""
        return max(0.0, time.monotonic() - self._writing_since)

    def submit(self, job: Job, *, lasting: bool, awaited: bool) -> PendingWrite:
        """Add a job to the queue; a lasting one is retried until it is written.

        Raises:
            LedgerUnavailable: nothing can be written now, and the job is not lasting.
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

    def withdraw(self, pending: PendingWrite) -> bool:
        """Remove a job from the queue; return False if it may be written already."""
        if pending not in self._pending:
            return False
        self._pending.remove(pending)
        return True

    def close(self, timeout_s: float) -> int:
        """Write the queue within `timeout_s` seconds; return how many jobs are left."""
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
        """Wait for more jobs; the last commit began at `began`."""
        if not self._closing:
            self._awaited.wait(max(0.0, began + self._long_pause_s - time.monotonic()))
            gevent.sleep(max(0.0, began + self._pause_s - time.monotonic()))
        self._awaited.clear()

    def _commit(self) -> bool:
        """Write a batch; return whether it succeeded."""
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
