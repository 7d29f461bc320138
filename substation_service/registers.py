"""The sessions of a substation: what a call about one means, and when one ends by itself.

Pure: the clock is passed in, and nothing here waits.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from heapq import heappop, heappush, merge
from itertools import islice
from math import inf
from operator import attrgetter
from typing import NamedTuple

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from substation_service.charging import Charging, Demand
from substation_service.owners import Owners
from substation_service.register import EPSILON_KWH, Reason, Register, State
from substation_service.substation import Outcome, Substation


class Limits(NamedTuple):
    """How many ended sessions are remembered."""

    plain: int = 10_000  # fully charged plain ones: their results are requested soon, if at all
    others: int = 50_000


DEFAULT_LIMITS = Limits()
# At the limit, this part is forgotten in one go: removing a dict's first entries is slow.
_FORGOTTEN = 1 / 8
# Looking up members of an enumeration is slow.
_NUMBER = attrgetter("number")
_CHARGED, _CHARGING, _STOPPED = State.CHARGED, State.CHARGING, State.STOPPED
_DONE, _ABORTED = Outcome.CHARGED, Outcome.ABORTED


class Meaning(Enum):
    """What a call that asks for a session did."""

    PLUGGED_IN = auto()  # an attempt began
    ATTACHED = auto()  # it was already charging
    ENDED = auto()  # it already had the requested energy


_PLUGGED_IN, _ATTACHED, _ENDED = Meaning


class Attempt(NamedTuple):
    """One attempt that ended."""

    register: Register
    charging: Charging
    outcome: Outcome
    kwh: float  # energy that it delivered
    charging_s: float  # time at the point, seconds


@dataclass(eq=False, repr=False)
class Registers:
    """All sessions that the substation knows.

    The clock must not go back between calls. Call `end_due` first at each moment: it ends what was
    due before, such as a lease, as of the time when it was due, however late this process runs.
    """

    substation: Substation  # where they charge
    on_ended: Callable[[Attempt], object]  # called with each attempt that ended
    epoch_s: float = 0.0  # offset from the clock to seconds of the epoch
    limits: Limits = DEFAULT_LIMITS
    id: str = ""  # ID of this set of registers; kept over restarts if the registers are
    forgotten_kwh: float = field(default=0.0, init=False)  # of sessions that are no longer known
    due: float = field(default=inf, init=False)
    _running: dict[str, Register] = field(default_factory=dict, init=False)
    _charged_plain: dict[str, Register] = field(default_factory=dict, init=False)
    _ended: dict[str, Register] = field(default_factory=dict, init=False)
    _owners: Owners = field(default_factory=Owners, init=False)
    _graces: list[tuple[float, int, Register]] = field(default_factory=list, init=False)
    _numbers: int = field(default=0, init=False)
    _past_kwh: float = field(default=0.0, init=False)

    @property
    def running(self) -> list[Register]:
        """The sessions that are charging, in order of plug-in."""
        return list(self._running.values())

    @property
    def ended(self) -> Iterator[Register]:
        """The known sessions that ended, most recent first."""
        return self.ended_from(self._numbers)

    def ended_from(self, number: int) -> Iterator[Register]:
        """Yield the known sessions that ended, most recent first, from this number down."""
        return merge(
            _down_from(number, self._ended),
            _down_from(number, self._charged_plain),
            key=lambda register: -register.number,
        )

    def get(self, session_id: str) -> Register | None:
        """Return a session, or None if it is not known."""
        return (
            self._running.get(session_id)
            or self._charged_plain.get(session_id)
            or self._ended.get(session_id)
        )

    def needs_power(self, session: Session) -> bool:
        """Return whether asking for this session would begin an attempt."""
        register = self.get(session.session_id)
        return register is None or (register.charging is None and not register.has(session.kwh))

    def meter_kwh(self, now: float) -> float:
        """Return all energy ever delivered here, including that of forgotten registers, kWh."""
        charging = (one.charging for one in self._running.values())
        return self._past_kwh + sum(one.delivered_kwh(now) for one in charging if one)

    def ask(self, session: Session, terms: Terms, now: float) -> tuple[Register, Meaning]:
        """Charge a session until its register has the requested energy, and count its caller.

        Args:
            session: its `kwh` is the register's target; its `soc`, if given, is the state of charge
                without what this register delivered.
            terms: how it continues.
            now: the current time.

        Raises:
            SubstationFull: no point is free.
        """
        if self.due <= now:
            self.end_due(now)
        session_id = session.session_id
        register = self._running.get(session_id)
        meaning = _ATTACHED
        if register is not None:
            if session.kwh != register.target_kwh:
                self._amend(register, session.kwh, now)
        else:
            register = self._ended.get(session_id) or self._charged_plain.get(session_id)
            if register is not None and register.has(session.kwh):
                if register.state is _STOPPED:
                    register.target_kwh = session.kwh
                    register.state, register.reason = _CHARGED, None
                return register, _ENDED
            register, meaning = self._plug_in(register, session, now), _PLUGGED_IN
        register.callers += 1
        register.grace_ends = None
        if terms.grace_s is not None:
            register.grace_s = terms.grace_s
        if terms.owner is not None:
            lease_ends = self._owners.lead(register, terms.owner, terms.lease_s, now)
            self.due = min(self.due, lease_ends)
        return register, meaning

    def leave(self, register: Register, now: float) -> None:
        """Count one caller fewer: it got its response, or disconnected."""
        if self.due <= now:
            self.end_due(now)
        register.callers -= 1
        if register.callers or register.charging is None:
            return
        if register.owner is not None:
            # An owner that dies with thousands of sessions must not count as silent while their
            # disconnects are still being processed.
            self._owners.note_heartbeat(register.owner, now)
        if register.grace_s is None:
            self._end(register, now, _ABORTED, Reason.DISCONNECTED)
            return
        self._owners.disconnect(register)
        register.owner = None  # until a call names one again
        register.grace_ends = now + register.grace_s
        heappush(self._graces, (register.grace_ends, register.number, register))
        self.due = min(self.due, register.grace_ends)

    def finish(self, register: Register, now: float) -> None:
        """End an attempt that is fully charged."""
        if self.due <= now:
            self.end_due(now)
        self._end(register, now, _DONE, None)

    def stop(self, register: Register, now: float, reason: Reason) -> None:
        """End an attempt, if there is one; if it is fully charged, it ends as charged."""
        self.end_due(now)
        self._stop(register, now, reason)

    def _stop(self, register: Register, now: float, reason: Reason) -> None:
        charging = register.charging
        if charging is None:
            return
        if self.substation.remaining_s(charging, now) > 0:
            self._end(register, now, _ABORTED, reason)
        else:
            self._end(register, now, _DONE, None)

    def note_heartbeat(self, owner: str, now: float) -> None:
        """Record a heartbeat of a balancer."""
        self.end_due(now)
        self._owners.note_heartbeat(owner, now)

    def to_report(self, owner: str | None, now: float) -> list[Register]:
        """Return the sessions to report to a balancer that asks for progress.

        These are all that are charging, and those that ended since its last response but one,
        because the last may have been lost. Sessions that ended as a response had announced are
        left out.
        """
        if owner is not None:
            self.note_heartbeat(owner, now)
        else:
            self.end_due(now)
        ended = self._owners.ended_since(owner, self._numbers, now)
        # A forgotten session may have been followed by another with the same ID.
        known = (one for one in ended if self.get(one.session_id) is one)
        return [*self._running.values(), *known]

    def end_due(self, now: float) -> None:
        """End what was due by now, as of when it was due."""
        while self.due <= now:
            due = self._owners.due
            grace = self._graces[0][0] if self._graces else inf
            if due <= grace and due <= now:
                for register in self._owners.silent(due):
                    self._stop(register, due, Reason.LEASE)
            elif grace <= now:
                _, _, register = heappop(self._graces)
                if register.grace_ends == grace and register.state is _CHARGING:
                    self._stop(register, grace, Reason.GRACE)
            self.due = min(self._owners.due, self._graces[0][0] if self._graces else inf)

    def restore(self, registers: Iterable[Register], forgotten_kwh: float) -> None:
        """Restore sessions that ended before, in the order of their ends."""
        self.forgotten_kwh = self._past_kwh = forgotten_kwh
        for register in registers:
            self._past_kwh += register.ended_kwh
            register.reported_kwh = register.ended_kwh
            self._keep(register)

    def _amend(self, register: Register, target_kwh: float, now: float) -> None:
        if register.charging is not None:
            register.target_kwh = target_kwh
            register.noted = False
            self.substation.amend(register.charging, target_kwh - register.ended_kwh, now)

    def _plug_in(self, register: Register | None, session: Session, now: float) -> Register:
        kwh, soc = session.kwh, session.soc
        if register is not None:
            kwh -= register.ended_kwh
            if soc is not None and session.battery_kwh is not None:
                soc = min(1.0, soc + register.ended_kwh / session.battery_kwh)
        charging = self.substation.plug_in(
            Demand(kwh, session.max_power_kw, session.battery_kwh, soc), now
        )
        if register is None:
            register = Register(
                session.session_id, session.vehicle_id, session.kwh, self.epoch_s + now
            )
        else:
            self._charged_plain.pop(session.session_id, None)
            self._ended.pop(session.session_id, None)
            register.vehicle_id, register.target_kwh = session.vehicle_id, session.kwh
            register.ended_at = register.grace_s = register.owner = None
        register.reported_kwh, register.reported_at = register.ended_kwh, now
        register.charging, register.noted = charging, False
        register.state, register.reason = _CHARGING, None
        self._numbers += 1
        register.number = self._numbers
        self._running[session.session_id] = register
        return register

    def _end(self, register: Register, now: float, outcome: Outcome, reason: Reason | None) -> None:
        charging = register.charging
        if charging is None:
            return
        kwh = self.substation.unplug(charging, now, outcome)
        attempt_s = now - charging.began
        register.add(kwh, attempt_s, charging.mean_power_kw, charging.peak_power_kw)
        if abs(register.ended_kwh - register.target_kwh) < EPSILON_KWH:
            register.ended_kwh = register.target_kwh
        self._past_kwh += kwh
        register.state = _STOPPED if reason else _CHARGED
        register.reason = reason
        register.grace_ends = None
        register.ended_at = self.epoch_s + now
        del self._running[register.session_id]
        is_reported = register.callers > 0 and reason is None and register.grace_s is None
        if register.owner is not None:
            self._owners.disconnect(register)
        if not is_reported:
            self._owners.end(register, now)
        self._keep(register)
        self.on_ended(Attempt(register, charging, outcome, kwh, attempt_s))

    def _keep(self, register: Register) -> None:
        """Remember an ended session, and forget the oldest beyond the limits."""
        self._numbers += 1
        register.number = self._numbers
        if register.grace_s is None and register.state is _CHARGED:
            known, most = self._charged_plain, self.limits.plain
        else:
            known, most = self._ended, self.limits.others
        known[register.session_id] = register
        if len(known) > most:
            for session_id in list(islice(known, max(1, int(most * _FORGOTTEN)))):
                self.forgotten_kwh += known.pop(session_id).ended_kwh


def _down_from(number: int, known: Mapping[str, Register]) -> Iterator[Register]:
    """Find the position by bisection: pages are read one after the other, among ten thousands."""
    registers = list(known.values())
    end = bisect_right(registers, number, key=_NUMBER)
    return reversed(registers[:end])
