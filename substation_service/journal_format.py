"""The format of the journal's lines. Pure: bytes in, registers out.

A line is one commit: a checksum of the rest, a space, a JSON document. `registers` are rows as
`row` builds them; the last row of a session counts. `progress` is the kWh reported for sessions
that are charging. In the first line `id` names the set of registers, and `forgotten_kwh` is the
energy of sessions that are no longer listed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zlib import crc32

import orjson

from substation_service.register import Reason, Register, State

_SUM_DIGITS = 8
_SECONDS_PER_HOUR = 3600


class CorruptJournal(Exception):
    """A line on disk differs from what was written; `offset` is the position of its first byte."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the line at byte {offset} does not match its checksum")
        self.offset = offset


def encode(document: Mapping[str, Any]) -> bytes:
    """Encode a commit as a line."""
    body = orjson.dumps(document)
    return b"%08x %b\n" % (crc32(body), body)


def decode(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Decode the commits of a journal; an incomplete last one was never reported, and is skipped.

    Raises:
        CorruptJournal: a damaged line is followed by an intact one, or the first line is damaged.
    """
    offset, broken = 0, None
    for line in lines:
        document = _document(line)
        if broken is None:
            if document is not None:
                yield document
            elif offset == 0:  # a file is only put in place once that line is complete
                raise CorruptJournal(0)
            else:
                broken = offset
        elif document is not None:
            raise CorruptJournal(broken)
        offset += len(line)


def row(register: Register, plugged_in_at: float | None) -> list[Any]:
    """Encode a register as a row; `plugged_in_at`, seconds of the epoch, if it is charging."""
    return [
        register.session_id,
        register.vehicle_id,
        register.grace_s,
        register.target_kwh,
        register.ended_kwh,
        str.__str__(register.state),  # orjson is slow for members of an Enum
        register.reason,
        register.began_at,
        register.ended_at,
        register.charging_s,
        register.mean_power_kw,
        register.peak_power_kw,
        plugged_in_at,
    ]


class Kept:
    """The contents of a journal, from its first line to its last."""

    def __init__(self, documents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Apply commits in order.

        Raises:
            KeyError, TypeError, ValueError: a document is not from a journal.
        """
        self.id: str | None = None  # ID of this set of registers
        self.forgotten_kwh = 0.0
        self._rows: dict[str, list[Any]] = {}
        self._progress: dict[str, float] = {}
        self._at = 0.0
        for document in documents:
            self._apply(document)

    def _apply(self, document: Mapping[str, Any]) -> None:
        self.id = document.get("id", self.id)
        self.forgotten_kwh += document.get("forgotten_kwh", 0.0)
        for one in document.get("registers", ()):
            session_id = one[0]
            before = self._rows.pop(session_id, None)
            if before is not None and before[7] != one[7]:  # another session of the same ID
                self.forgotten_kwh += before[4]
                self._progress.pop(session_id, None)
            self._rows[session_id] = one
            if one[5] != State.CHARGING:
                self._progress.pop(session_id, None)
        self._progress.update(document.get("progress", ()))
        self._at = max(self._at, document["at"])

    def registers(self, time_scale: float) -> tuple[list[Register], list[tuple[Register, float]]]:
        """Return all registers in the order of their ends, and those interrupted while charging.

        The latter come with the kWh of their last attempt: the energy that was last reported,
        because the power was cut.
        """
        registers, cut = [], []
        for one in self._rows.values():
            register = _register(one)
            if register.state is State.CHARGING:
                attempt_kwh = self._cut(register, one[12], time_scale)
                cut.append((register, attempt_kwh))
            registers.append(register)
        registers.sort(key=lambda register: register.ended_at or 0.0)
        return registers, cut

    def _cut(self, register: Register, plugged_in_at: float, time_scale: float) -> float:
        reported_kwh = self._progress.get(register.session_id, 0.0)
        kwh = max(0.0, reported_kwh - register.ended_kwh)
        attempt_s = max(0.0, self._at - plugged_in_at)
        hours = attempt_s * time_scale / _SECONDS_PER_HOUR
        mean_kw = kwh / hours if hours else 0.0
        register.add(kwh, attempt_s, mean_kw, mean_kw)
        register.state, register.reason = State.STOPPED, Reason.RESTARTED
        register.ended_at = plugged_in_at + attempt_s
        return kwh


def _document(line: bytes) -> dict[str, Any] | None:
    body = line[_SUM_DIGITS + 1 : -1]
    if line[-1:] != b"\n" or line[: _SUM_DIGITS + 1] != b"%08x " % crc32(body):
        return None
    document: dict[str, Any] = orjson.loads(body)
    return document


def _register(one: list[Any]) -> Register:
    register = Register(one[0], one[1], one[3], one[7])
    register.grace_s, register.ended_kwh = one[2], one[4]
    register.state = State(one[5])
    register.reason = None if one[6] is None else Reason(one[6])
    register.ended_at, register.charging_s = one[8], one[9]
    register.mean_power_kw, register.peak_power_kw = one[10], one[11]
    return register
