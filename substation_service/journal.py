"""The journal: whatever this substation reports of a session is on disk before it is reported.

Group commit off the event loop: changes are collected, a thread writes them, and everyone who
waited for that commit continues together.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event
from gevent.threadpool import ThreadPool

from grid_common.logs import Log
from substation_service.journal_file import JournalFile
from substation_service.journal_format import row
from substation_service.register import Register
from substation_service.registers import Registers

# Changes that nobody waits for are written this often, seconds, or when this many are pending.
_LAZY_S = 0.5
_MANY = 500
# How long a response waits for its commit, seconds. A disk that takes longer counts as failing.
_PATIENCE_S = 2.0
# A balancer's poll needs a response sooner, seconds.
_POLL_PATIENCE_S = 0.25
# How often to retry writing a failing journal, seconds.
_RETRY_S = 1.0
# How many registers are kept for appending while the journal cannot be written. With more, it is
# rewritten from memory.
_MAX_PENDING = 20_000

Reported = Sequence[tuple[Register, float]]


class NoJournal:
    """For a substation that records deliveries in memory only."""

    @property
    def size(self) -> int:
        """Size of the file, bytes."""
        return 0

    @property
    def failing_since(self) -> float | None:
        """Monotonic time since which it cannot be written, seconds; None while it can be."""
        return None

    def note(self, register: Register) -> None:
        """Ignore a changed register."""

    def commit(self) -> bool:
        """Return True: there is nothing to wait for."""
        return True

    def reportable(self, reported: Reported, _now: float) -> Reported:
        """Return what may be reported: all of it."""
        return reported

    def age_s(self, _register: Register, _now: float) -> float:
        """Return 0: what is reported of a register is never old."""
        return 0.0

    def close(self) -> None:
        """Do nothing."""


class _Batch:
    """The changes of one commit."""

    def __init__(self) -> None:
        self.registers: dict[Register, None] = {}
        self.ended_kwh: dict[Register, float] = {}  # of its registers, as written
        self.progress: dict[Register, tuple[float, float]] = {}  # kWh, and when that was true
        self.over = Event()
        self.is_kept = False

    def add_older(self, other: "_Batch") -> None:
        """Add the changes of a failed batch; newer ones take precedence."""
        self.registers = {**other.registers, **self.registers}
        self.progress = {**other.progress, **self.progress}


@dataclass(eq=False, repr=False)
class Journal(NoJournal):
    """A substation's journal in a file. One per process.

    It is rewritten at first; OSError if that fails.
    """

    file: JournalFile
    registers: Registers
    most_bytes: int  # size of the file beyond which it is rewritten from memory
    epoch_s: float  # offset from the monotonic clock to seconds of the epoch
    _log: Log
    # Called after each commit with the number of registers and the seconds it took.
    on_commit: Callable[[int, float], object]
    _batch: _Batch = field(default_factory=_Batch, init=False)
    _in_flight: _Batch | None = field(default=None, init=False)
    _began_writing: float | None = field(default=None, init=False)
    _error_since: float | None = field(default=None, init=False)
    _asked: Event = field(default_factory=Event, init=False)
    _thread: ThreadPool = field(default_factory=lambda: ThreadPool(1), init=False)

    def __post_init__(self) -> None:
        self.file.rewrite(self._all())
        gevent.spawn(self._write_forever)

    @property
    def size(self) -> int:
        """Size of the file, bytes."""
        return self.file.size

    @property
    def failing_since(self) -> float | None:
        """Monotonic time since which it cannot be written, seconds; None while it can be."""
        if self._error_since is not None:
            return self._error_since
        began = self._began_writing
        if began is not None and time.monotonic() - began > _PATIENCE_S:
            return began
        return None

    def note(self, register: Register) -> None:
        """Schedule a changed register for writing within half a second."""
        noted = self._batch.registers
        noted[register] = None
        if len(noted) >= _MANY:
            self._asked.set()

    def commit(self) -> bool:
        """Wait until all noted changes are on disk; return False if they may not be."""
        return self._commit(_PATIENCE_S)

    def reportable(self, reported: Reported, now: float) -> Reported:
        """Return which kWh of these registers may be reported: those on disk, after a commit.

        If the commit fails, these are the values reported before; `age_s` returns how old they are.

        Args:
            reported: the kWh of each register.
            now: when that was its energy.
        """
        batch = self._batch
        for register, kwh in reported:
            if register.charging is not None:
                batch.progress[register] = kwh, now
                if not register.noted:
                    batch.registers[register] = None
        if not (batch.progress or batch.registers) and self._in_flight is None:
            return reported
        if self._commit(_POLL_PATIENCE_S):
            return reported
        return [(register, register.reported_kwh) for register, _ in reported]

    def age_s(self, register: Register, now: float) -> float:
        """Return how old the kWh are that may be reported of a register, seconds; 0 if final."""
        if register.charging is None and register.reported_kwh >= register.ended_kwh:
            return 0.0
        return max(0.0, now - register.reported_at)

    def close(self) -> None:
        """Write what is pending when the process ends and its event loop no longer runs."""
        batch = _Batch()
        for one in (self._in_flight, self._batch):
            if one is not None:
                one.add_older(batch)
                batch = one
        try:
            if self.file.is_sound:
                self.file.append(self._document(batch))
            else:
                self.file.rewrite(self._all())
        except OSError as error:
            self._log.error("journal not written at the end", error=str(error))

    def _commit(self, patience_s: float) -> bool:
        if self.failing_since is not None:
            return False
        batch = self._batch
        if not (batch.registers or batch.progress):
            if self._in_flight is None:
                return True
            batch = self._in_flight
        self._asked.set()
        return bool(batch.over.wait(patience_s)) and batch.is_kept

    def _write_forever(self) -> None:
        while True:
            self._asked.wait(_LAZY_S)
            self._asked.clear()
            if self._batch.registers or self._batch.progress or self._error_since is not None:
                self._write()
            if self._error_since is not None:
                gevent.sleep(_RETRY_S)

    def _write(self) -> None:
        batch = self._in_flight = self._batch
        self._batch = _Batch()
        for register in batch.registers:
            register.noted = True
        self._began_writing = began = time.monotonic()
        try:
            if not self.file.is_sound or len(batch.registers) > _MAX_PENDING:
                self._rewrite()
            self._thread.apply(self.file.append, (self._document(batch),))
        except OSError as error:
            self._failed(batch, error)
        else:
            self._kept(batch, time.monotonic() - began)
        finally:
            self._in_flight = self._began_writing = None
            batch.over.set()
        if self._error_since is None and self.file.size > self.most_bytes:
            self._compact()

    def _compact(self) -> None:
        """Rewrite the file because it has grown; while that fails, it is appended to."""
        before = self.file.size
        try:
            self._rewrite()
        except OSError as error:
            self._log.warning("journal not compacted", error=str(error))
            self.most_bytes = 2 * before
        else:
            self._log.info("journal compacted", before_bytes=before, bytes=self.file.size)
            self.most_bytes = max(self.most_bytes, 2 * self.file.size)

    def _rewrite(self) -> None:
        fd = self._thread.apply(self.file.begin)
        try:
            for document in self._all():
                self._thread.apply(self.file.add, (fd, document))
            self._thread.apply(self.file.replace, (fd,))
        except OSError:
            self.file.abandon(fd)
            raise

    def _failed(self, batch: _Batch, error: OSError) -> None:
        for register in batch.registers:
            register.noted = register.charging is None
        self._batch.add_older(batch)
        if self._error_since is None:
            self._error_since = time.monotonic()
            self._log.error(
                "journal cannot be written: charging continues, new durable sessions are refused",
                journal=str(self.file.path),
                error=str(error),
            )

    def _kept(self, batch: _Batch, took_s: float) -> None:
        batch.is_kept = True
        for register, (kwh, at) in batch.progress.items():
            if kwh >= register.reported_kwh:
                register.reported_kwh, register.reported_at = kwh, max(register.reported_at, at)
        for register, kwh in batch.ended_kwh.items():
            register.reported_kwh = max(register.reported_kwh, kwh)
        self.on_commit(len(batch.registers), took_s)
        if self._error_since is not None:
            failed_s = round(time.monotonic() - self._error_since, 3)
            self._error_since = None
            self._log.info("journal can be written again", failed_s=failed_s)

    def _document(self, batch: _Batch) -> dict[str, Any]:
        document: dict[str, Any] = {"at": self.epoch_s + time.monotonic()}
        if batch.registers:
            document["registers"] = self._rows(batch.registers)
            # One may end, or begin again, while this is being written.
            batch.ended_kwh = {one: one.ended_kwh for one in batch.registers}
        if batch.progress:
            document["progress"] = {
                one.session_id: kwh for one, (kwh, _) in batch.progress.items() if one.charging
            }
        return document

    def _all(self) -> Iterator[dict[str, Any]]:
        """Yield all registers as documents, some at a time."""
        registers = self.registers
        known = [*reversed(list(registers.ended)), *registers.running]
        at = self.epoch_s + time.monotonic()
        yield {"at": at, "id": registers.id, "forgotten_kwh": registers.forgotten_kwh}
        for first in range(0, len(known), _MANY):
            part = known[first : first + _MANY]
            progress = {one.session_id: one.reported_kwh for one in part if one.charging}
            yield {"at": at, "registers": self._rows(part), "progress": progress}

    def _rows(self, registers: Iterable[Register]) -> list[list[Any]]:
        return [
            row(one, None if one.charging is None else self.epoch_s + one.charging.began)
            for one in registers
        ]
