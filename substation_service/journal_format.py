"""What a journal's lines say. Pure: bytes in, registers out.

A line is one commit: a checksum of what follows it, a space, a JSON document. Its `registers` are
rows as `row` makes them, the last of a session counts; its `progress` are the kWh that sessions
which charge were told to have got; in the first line `id` names the set of registers, and
`forgotten_kwh` is the energy of those that are no longer listed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from zlib import crc32

import orjson

from substation_service.register import Reason, Register, State

__all__ = ["CorruptJournal", "Kept", "decode", "encode", "row"]

_SUM_DIGITS = 8
_SECONDS_PER_HOUR = 3600


class CorruptJournal(Exception):
    """A line that was on the disk is not what was written; `offset` is its first byte."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the line at byte {offset} does not match its checksum")
        self.offset = offset


def encode(document: Mapping[str, Any]) -> bytes:
    """Write a commit as a line."""
    body = orjson.dumps(document)
    return b"%08x %b\n" % (crc32(body), body)


def decode(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read the commits of a journal; a last one that is not whole was never told, and is left out.

    Raises:
        CorruptJournal: one that is not whole is followed by one that is, or the first is not.
    """
    offset, broken = 0, None
    for line in lines:
        document = _document(line)
        if broken is None:
            if document is not None:
                yield document
            elif offset == 0:  # a file is put in its place only when that line is whole
                raise CorruptJournal(0)
            else:
                broken = offset
        elif document is not None:
            raise CorruptJournal(broken)
        offset += len(line)


def row(register: Register, plugged_in_at: float | None) -> list[Any]:
    """Write a register; `plugged_in_at`, seconds of the epoch, where it charges."""
    return [
        register.session_id,
        register.vehicle_id,
        register.grace_s,
        register.target_kwh,
        register.ended_kwh,
        str.__str__(register.state),  # orjson asks members of an Enum in Python what they are
        register.reason,
        register.began_at,
        register.ended_at,
        register.charging_s,
        register.mean_power_kw,
        register.peak_power_kw,
        plugged_in_at,
    ]


class Kept:
    """What a journal keeps, from its first line to its last."""

    def __init__(self, documents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Read commits.

        Raises:
            KeyError, TypeError, ValueError: a document is none of a journal's.
        """
        self.id: str | None = None  # of this set of registers
        self.forgotten_kwh = 0.0
        self._rows: dict[str, list[Any]] = {}
        self._words: dict[str, float] = {}
        self._at = 0.0
        for document in documents:
            self._apply(document)

    def _apply(self, document: Mapping[str, Any]) -> None:
        self.id = document.get("id", self.id)
        self.forgotten_kwh += document.get("forgotten_kwh", 0.0)
        for one in document.get("registers", ()):
            session_id = one[0]
            before = self._rows.pop(session_id, None)
            if before is not None and before[7] != one[7]:  # another of the same name
                self.forgotten_kwh += before[4]
                self._words.pop(session_id, None)
            self._rows[session_id] = one
            if one[5] != State.CHARGING:
                self._words.pop(session_id, None)
        self._words.update(document.get("progress", ()))
        self._at = max(self._at, document["at"])

    def registers(self, time_scale: float) -> tuple[list[Register], list[tuple[Register, float]]]:
        """Return all registers in the order of their ends.

        And those of them that charged when the journal ended, each with the kWh of its last
        attempt: they got what they were last told to have got, and their power was cut.
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
        word = self._words.get(register.session_id, 0.0)
        kwh = max(0.0, word - register.ended_kwh)
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
