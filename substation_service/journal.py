"""The journal: what this substation says of a session is on the disk before it says it.

Group commit off the event loop: one greenlet gathers what was noted, a thread writes it, and
everyone who waited for that commit goes on together.
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

__all__ = ["Journal", "NoJournal"]

# What nobody waits for is written this often, seconds, or when there is this much of it.
_LAZY_S = 0.5
_MANY = 500
# How long an answer waits for its commit. A disk that takes longer counts as failing.
_PATIENCE_S = 2.0
# A balancer's poll has to be answered sooner.
_POLL_PATIENCE_S = 0.25
# A journal that could not be written is tried again this often.
_RETRY_S = 1.0
# Of a journal that cannot be written, so much is held back to be added; more, and it is written
# anew from what is known.
_MAX_PENDING = 20_000

Reported = Sequence[tuple[Register, float]]


class NoJournal:
    """For a substation that keeps what it delivered in memory alone."""

    @property
    def size(self) -> int:
        """Bytes of its file."""
        return 0

    @property
    def failing_since(self) -> float | None:
        """Since when it cannot be written, of the monotonic clock; None while it can be."""
        return None

    def note(self, register: Register) -> None:
        """Pass over a register that changed."""

    def commit(self) -> bool:
        """Claim nothing."""
        return True

    def tell(self, reported: Reported) -> Reported:
        """Return what is to be told, as it is."""
        return reported

    def close(self) -> None:
        """Have nothing to write."""


class _Batch:
    """What is written with one commit."""

    def __init__(self) -> None:
        self.registers: dict[Register, None] = {}
        self.words: dict[Register, float] = {}
        self.over = Event()
        self.is_kept = False

    def take_back(self, other: "_Batch") -> None:
        """Take what another did not get written; what is newer here counts."""
        self.registers = {**other.registers, **self.registers}
        self.words = {**other.words, **self.words}


class Journal(NoJournal):
    """A substation's journal in a file. One for the process."""

    def __init__(
        self,
        file: JournalFile,
        registers: Registers,
        most_bytes: int,
        epoch_s: float,
        log: Log,
        on_commit: Callable[[int, float], object],
    ) -> None:
        """Begin to write.

        Args:
            file: read, and written anew.
            registers: those it keeps.
            most_bytes: of the file, beyond which it is written anew with what is known.
            epoch_s: what added to the monotonic clock gives seconds of the epoch.
            log: told when it cannot be written, and when it can be again.
            on_commit: told of each commit: its registers, and the seconds that it took.

        Raises:
            OSError: the file cannot be written anew.
        """
        self._file = file
        self._registers = registers
        self._most_bytes = most_bytes
        self._epoch_s = epoch_s
        self._log = log
        self._on_commit = on_commit
        file.write_anew(self._all())
        self._batch = _Batch()
        self._in_flight: _Batch | None = None
        self._began_writing: float | None = None
        self._error_since: float | None = None
        self._asked = Event()
        self._thread = ThreadPool(1)
        gevent.spawn(self._write_on)

    @property
    def size(self) -> int:
        """Bytes of its file."""
        return self._file.size

    @property
    def failing_since(self) -> float | None:
        """Since when it cannot be written, of the monotonic clock; None while it can be."""
        if self._error_since is not None:
            return self._error_since
        began = self._began_writing
        if began is not None and time.monotonic() - began > _PATIENCE_S:
            return began
        return None

    def note(self, register: Register) -> None:
        """Have a register that changed written within half a second."""
        noted = self._batch.registers
        noted[register] = None
        if len(noted) >= _MANY:
            self._asked.set()

    def commit(self) -> bool:
        """Wait until all that was noted is on the disk; False where it cannot be said to be."""
        return self._commit(_PATIENCE_S)

    def tell(self, reported: Reported) -> Reported:
        """Return what can be told of registers and their kWh: what is on the disk, as a rule now.

        Where that cannot be written, it is what was told before.
        """
        batch = self._batch
        for register, kwh in reported:
            if register.charging is not None:
                batch.words[register] = kwh
                if not register.noted:
                    batch.registers[register] = None
        if not (batch.words or batch.registers) and self._in_flight is None:
            return reported
        if self._commit(_POLL_PATIENCE_S):
            return reported
        return [(register, register.word_kwh) for register, _ in reported]

    def close(self) -> None:
        """Write what was noted, at the end of the process, on whose loop nothing runs any more."""
        batch = _Batch()
        for one in (self._in_flight, self._batch):
            if one is not None:
                one.take_back(batch)
                batch = one
        try:
            if self._file.is_sound:
                self._file.append(self._document(batch))
            else:
                self._file.write_anew(self._all())
        except OSError as error:
            self._log.error("journal not written at the end", error=str(error))

    def _commit(self, patience_s: float) -> bool:
        if self.failing_since is not None:
            return False
        batch = self._batch
        if not (batch.registers or batch.words):
            if self._in_flight is None:
                return True
            batch = self._in_flight
        self._asked.set()
        return bool(batch.over.wait(patience_s)) and batch.is_kept

    def _write_on(self) -> None:
        while True:
            self._asked.wait(_LAZY_S)
            self._asked.clear()
            if self._batch.registers or self._batch.words or self._error_since is not None:
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
                self._write_anew()
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
        """Write it anew because it has grown; while that cannot be done, it is added to."""
        before = self._file.size
        try:
            self._write_anew()
        except OSError as error:
            self._log.warning("journal not compacted", error=str(error))
            self._most_bytes = 2 * before
        else:
            self._log.info("journal compacted", before_bytes=before, bytes=self._file.size)
            self._most_bytes = max(self._most_bytes, 2 * self._file.size)

    def _write_anew(self) -> None:
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
        self._batch.take_back(batch)
        if self._error_since is None:
            self._error_since = time.monotonic()
            self._log.error(
                "journal cannot be written: charging goes on, new durable sessions are refused",
                journal=str(self._file.path),
                error=str(error),
            )

    def _kept(self, batch: _Batch, took_s: float) -> None:
        batch.is_kept = True
        for register, kwh in batch.words.items():
            register.word_kwh = max(register.word_kwh, kwh)
        for register in batch.registers:
            register.word_kwh = max(register.word_kwh, register.ended_kwh)
        self._on_commit(len(batch.registers), took_s)
        if self._error_since is not None:
            failed_s = round(time.monotonic() - self._error_since, 3)
            self._error_since = None
            self._log.info("journal can be written again", failed_s=failed_s)

    def _document(self, batch: _Batch) -> dict[str, Any]:
        document: dict[str, Any] = {"at": self._epoch_s + time.monotonic()}
        if batch.registers:
            document["registers"] = self._rows(batch.registers)
        if batch.words:
            document["progress"] = {
                one.session_id: kwh for one, kwh in batch.words.items() if one.charging
            }
        return document

    def _all(self) -> Iterator[dict[str, Any]]:
        """Write all that is known, a part at a time."""
        registers = self._registers
        known = [*reversed(list(registers.ended)), *registers.running]
        at = self._epoch_s + time.monotonic()
        yield {"at": at, "id": registers.id, "forgotten_kwh": registers.forgotten_kwh}
        for first in range(0, len(known), _MANY):
            part = known[first : first + _MANY]
            words = {one.session_id: one.word_kwh for one in part if one.charging}
            yield {"at": at, "registers": self._rows(part), "progress": words}

    def _rows(self, registers: Iterable[Register]) -> list[list[Any]]:
        return [
            row(one, None if one.charging is None else self._epoch_s + one.charging.began)
            for one in registers
        ]
