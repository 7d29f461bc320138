"""The legs of one session: what each substation's register reports, and what is left. Pure.

A session's **register** at a substation is the energy that it received there in all attempts. A
substation is asked to bring it up to a total (`target_kwh`). So it does no harm to ask twice, and
energy that was delivered while the link was cut counts there without a report. Registers never
fall. The balancer knows the last report of each; the register may have grown since. If a substation
is lost, the energy that may have flowed there since its last report is **reserved**: nobody else is
asked for it until the substation reports again, or is given up.

Legs are identified by the ID of the substation's register set, not by its address. A substation
that has lost its registers is a new meter. One that moved together with its journal is the same.
"""

from dataclasses import dataclass
from typing import NamedTuple

# Smaller amounts are rounding errors, kWh.
NOTHING_KWH = 1e-9


@dataclass(eq=False, repr=False, slots=True)
class Leg:
    """A session's part at one substation. Times in seconds of the balancer's clock."""

    substation: str  # its name
    kwh: float  # in its register, as last reported
    reported_at: float  # time of that report, or of the start of its attempt
    kwh_per_s: float | None = None  # between the last two reports
    reserved_kwh: float = 0.0  # that may have flowed since the last report
    charging_s: float = 0.0  # of all ended attempts


class LegRecord(NamedTuple):
    """A leg, for display."""

    substation: str
    energy_kwh: float
    charging_s: float


class Legs:
    """The legs of one session. The first is created when there is something to record."""

    __slots__ = ("_began", "_counted_kwh", "_legs", "_substation", "asked_kwh", "current")

    def __init__(self, asked_kwh: float) -> None:
        """Create the legs of a session that has not begun.

        Args:
            asked_kwh: the energy that it asks for.
        """
        self.asked_kwh = asked_kwh
        self.current: str | None = None  # the register to which the attempt in flight adds
        self._legs: dict[str, Leg] = {}
        self._counted_kwh = 0.0

    def __len__(self) -> int:
        return len(self._legs)

    def __contains__(self, register: str) -> bool:
        return register in self._legs or register == self.current

    @property
    def delivered_kwh(self) -> float:
        """The energy that it received, as last reported by each substation."""
        return sum(leg.kwh for leg in self._legs.values())

    @property
    def charging_s(self) -> float:
        """The time of all ended attempts."""
        return sum(leg.charging_s for leg in self._legs.values())

    @property
    def last(self) -> Leg | None:
        """The leg of the last attempt."""
        return next(reversed(self._legs.values()), None)

    @property
    def remaining_kwh(self) -> float:
        """The energy that is left; 0 if it is only a rounding error."""
        left_kwh = self.asked_kwh - self.delivered_kwh
        return left_kwh if left_kwh > NOTHING_KWH else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether it has received all that it asked for, as reported."""
        return self.asked_kwh - self.delivered_kwh <= NOTHING_KWH

    def elsewhere_kwh(self, register: str) -> float:
        """Return the energy that it received at the other substations."""
        return sum(leg.kwh for key, leg in self._legs.items() if key != register)

    @property
    def reserved_kwh(self) -> float:
        """The energy that may have flowed at lost substations since their last reports."""
        return sum(leg.reserved_kwh for leg in self._legs.values())

    @property
    def has_to_wait(self) -> bool:
        """Whether all that is left may have flowed at lost substations."""
        left_kwh = self.asked_kwh - self.delivered_kwh
        return NOTHING_KWH < left_kwh <= self.reserved_kwh + NOTHING_KWH

    def target_kwh(self, register: str) -> float:
        """Return the total to which to bring this register; 0 or less if nothing is left."""
        reserved_kwh = sum(leg.reserved_kwh for key, leg in self._legs.items() if key != register)
        return self.asked_kwh - self.elsewhere_kwh(register) - reserved_kwh

    def leg(self, register: str) -> Leg | None:
        """Return the leg of a register, if there is one; create that of the attempt in flight."""
        leg = self._legs.get(register)
        if leg is None and register == self.current:
            leg = self._legs[register] = Leg(self._substation, 0.0, self._began)
        return leg

    def begin(self, register: str, substation: str, now: float) -> None:
        """Begin an attempt there."""
        self.current, self._substation, self._began = register, substation, now
        if self._legs and (leg := self._legs.pop(register, None)) is not None:
            leg.reported_at, leg.kwh_per_s, leg.reserved_kwh = now, None, 0.0
            self._legs[register] = leg  # the last

    def end(self, register: str, attempt_s: float, kwh: float | None = None) -> None:
        """End an attempt.

        Args:
            register: the register to which it added.
            attempt_s: how long it took, seconds.
            kwh: the register's final value; None if it was not reported.
        """
        leg = self.leg(register)
        if self.current == register:
            self.current = None
        if leg is None:
            return
        leg.charging_s += attempt_s
        if kwh is not None and kwh > leg.kwh:
            leg.kwh = kwh

    def withdraw(self, register: str) -> None:
        """Undo the begin of an attempt that is known not to have reached the substation."""
        if self.current == register:
            self.current = None
        leg = self._legs.get(register)
        if leg is not None and not leg.kwh and not leg.charging_s:
            del self._legs[register]

    def lose(self, register: str) -> None:
        """Keep the energy of a register that its substation has lost; a new one begins at 0."""
        leg = self._legs.pop(register, None)
        if leg is not None:
            self._legs[f"{register} lost at {leg.reported_at}"] = leg

    def update(self, register: str, kwh: float, now: float, substation: str | None = None) -> bool:
        """Record the report of a register; return whether it has energy that is new.

        Args:
            register: the register.
            kwh: its value.
            now: the time.
            substation: the name of the substation, with which a missing leg is created.
        """
        leg = self.leg(register)
        if leg is None:
            if substation is None or kwh <= 0:
                return False
            self._legs[register] = Leg(substation, kwh, now)
            return True
        grown_kwh, passed_s = kwh - leg.kwh, now - leg.reported_at
        if passed_s > 0:
            leg.kwh_per_s = max(0.0, grown_kwh) / passed_s
            leg.reported_at = now
        if grown_kwh <= 0:
            return False
        leg.kwh = kwh
        return True

    def reserve(
        self, register: str, substation: str, now: float, max_kwh_per_s: float | None
    ) -> None:
        """Ask nobody else for the energy that may have flowed at a lost substation.

        Args:
            register: the register there.
            substation: the name of the substation.
            now: until when energy may have flowed there.
            max_kwh_per_s: the maximum of a point there; None if it is not known.
        """
        leg = self.leg(register)
        if leg is None:
            leg = self._legs[register] = Leg(substation, 0.0, now)
            max_kwh_per_s = None
        left_kwh = self.remaining_kwh
        if max_kwh_per_s is not None:
            left_kwh = min(left_kwh, max(0.0, now - leg.reported_at) * max_kwh_per_s)
        leg.reserved_kwh = left_kwh

    def is_reserved(self, register: str) -> bool:
        """Return whether energy may have flowed there since the last report."""
        leg = self._legs.get(register)
        return leg is not None and leg.reserved_kwh > 0

    def release(self, register: str) -> bool:
        """Release the reserved energy of a register; return whether there was any."""
        leg = self._legs.get(register)
        if leg is None or not leg.reserved_kwh:
            return False
        leg.reserved_kwh = 0.0
        return True

    def release_all(self) -> None:
        """Release all reserved energy."""
        for leg in self._legs.values():
            leg.reserved_kwh = 0.0

    def rename(self, before: str, now: str) -> None:
        """Change the ID of a register."""
        if self.current == before:
            self.current = now
        leg = self._legs.pop(before, None)
        if leg is None:
            return
        other = self._legs.get(now)
        if other is None:
            self._legs[now] = leg
        else:  # it was reported under both IDs, and never falls
            other.kwh = max(other.kwh, leg.kwh)
            other.charging_s += leg.charging_s
            other.reserved_kwh = max(other.reserved_kwh, leg.reserved_kwh)

    def newly_counted_twice_kwh(self) -> float:
        """Return the energy beyond the request that was reported since the last call."""
        over_kwh = self.delivered_kwh - self.asked_kwh
        new_kwh = over_kwh - self._counted_kwh
        if over_kwh <= NOTHING_KWH or new_kwh <= NOTHING_KWH:
            return 0.0
        self._counted_kwh = over_kwh
        return new_kwh

    def records(self) -> list[LegRecord]:
        """Return the legs that delivered energy, that of the last attempt last."""
        return [
            LegRecord(leg.substation, leg.kwh, round(leg.charging_s, 3))
            for leg in self._legs.values()
            if leg.kwh
        ]
