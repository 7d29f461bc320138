"""The journal: whatever this substation reports of a session is on disk before it is reported.

Group commit off the event loop: changes are collected, a thread writes them, and everyone who
waited for that commit continues together.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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


class Journal(NoJournal):
    """A substation's journal in a file. One per process."""

    def __init__(
        self,
        file: JournalFile,
        registers: Registers,
        most_bytes: int,
        epoch_s: float,
        log: Log,
        on_commit: Callable[[int, float], object],
    ) -> None:
        """Rewrite the file and start to write changes.

        Args:
            file: the journal's file.
            registers: the registers to record.
            most_bytes: size of the file beyond which it is rewritten from memory, bytes.
            epoch_s: offset from the monotonic clock to seconds of the epoch.
            log: logs failures and recovery.
            on_commit: called after each commit with the number of registers and the seconds it
                took.

        Raises:
            OSError: the file cannot be rewritten.
        """
        self._file = file
        self._registers = registers
        self._most_bytes = most_bytes
        self._epoch_s = epoch_s
        self._log = log
        self._on_commit = on_commit
        file.rewrite(self._all())
        self._batch = _Batch()
        self._in_flight: _Batch | None = None
        self._began_writing: float | None = None
        self._error_since: float | None = None
        self._asked = Event()
        self._thread = ThreadPool(1)
        gevent.spawn(self._write_forever)

    @property
    def size(self) -> int:
        """Size of the file, bytes."""
        return self._file.size

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
            if self._file.is_sound:
                self._file.append(self._document(batch))
            else:
                self._file.rewrite(self._all())
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
            if not self._file.is_sound or len(batch.registers) > _MAX_PENDING:
                self._rewrite()
            self._thread.apply(self._file.append, (self._document(batch),))
        except OSError as error:
            self._failed(batch, error)
        else:
            self._kept(batch, time.monotonic() - began)
        finally:
            self._in_flight = self._began_writing = None
            batch.over.set()
        if self._error_since is None and self._file.size > self._most_bytes:
            self._compact()

    def _compact(self) -> None:
        """Rewrite the file because it has grown; while that fails, it is appended to."""
        before = self._file.size
        try:
            self._rewrite()
        except OSError as error:
            self._log.warning("journal not compacted", error=str(error))
            self._most_bytes = 2 * before
        else:
            self._log.info("journal compacted", before_bytes=before, bytes=self._file.size)
            self._most_bytes = max(self._most_bytes, 2 * self._file.size)

    def _rewrite(self) -> None:
        fd = self._thread.apply(self._file.begin)
        try:
            for document in self._all():
                self._thread.apply(self._file.add, (fd, document))
            self._thread.apply(self._file.replace, (fd,))
        except OSError:
            self._file.abandon(fd)
            raise

    def _failed(self, batch: _Batch, error: OSError) -> None:
        for register in batch.registers:
            register.noted = register.charging is None
        self._batch.add_older(batch)
        if self._error_since is None:
            self._error_since = time.monotonic()
            self._log.error(
                "journal cannot be written: charging continues, new durable sessions are refused",
                journal=str(self._file.path),
                error=str(error),
            )

    def _kept(self, batch: _Batch, took_s: float) -> None:
        batch.is_kept = True
        for register, (kwh, at) in batch.progress.items():
            if kwh >= register.reported_kwh:
                register.reported_kwh, register.reported_at = kwh, max(register.reported_at, at)
        for register, kwh in batch.ended_kwh.items():
            register.reported_kwh = max(register.reported_kwh, kwh)
        self._on_commit(len(batch.registers), took_s)
        if self._error_since is not None:
            failed_s = round(time.monotonic() - self._error_since, 3)
            self._error_since = None
            self._log.info("journal can be written again", failed_s=failed_s)

    def _document(self, batch: _Batch) -> dict[str, Any]:
        document: dict[str, Any] = {"at": self._epoch_s + time.monotonic()}
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
        registers = self._registers
        known = [*reversed(list(registers.ended)), *registers.running]
        at = self._epoch_s + time.monotonic()
        yield {"at": at, "id": registers.id, "forgotten_kwh": registers.forgotten_kwh}
        for first in range(0, len(known), _MANY):
            part = known[first : first + _MANY]
            progress = {one.session_id: one.reported_kwh for one in part if one.charging}
            yield {"at": at, "registers": self._rows(part), "progress": progress}

    def _rows(self, registers: Iterable[Register]) -> list[list[Any]]:
        return [
            row(one, None if one.charging is None else self._epoch_s + one.charging.began)
            for one in registers
        ]
