"""One session's legs: what each substation's register says of it, and what that leaves. Pure.

A session's **register** at a substation is the energy that it got there in all of its attempts. A
substation is asked to bring it to a total (`target_kwh`), so asking twice does no harm, and what it
delivered unheard, as while its link was cut, counts there by itself. Registers never fall. What
the balancer knows of them is the last word of each: the truth, or less until the next word.
Where a substation was lost, what may have flowed there since is **reserved**: nobody else is asked
for it until the substation has told, or is given up.

Legs are kept by the id of the substation's set of registers, which is not its address: one that
forgot them is another meter, one that moved with its journal is the same.
"""

from typing import NamedTuple

# Less than this is rounding, kWh.
NOTHING_KWH = 1e-9


class Leg:
    """A session's part at one substation. Times in seconds of the balancer's clock."""

    __slots__ = ("charging_s", "kwh", "kwh_per_s", "reported_at", "reserved_kwh", "substation")

    def __init__(self, substation: str, kwh: float, now: float) -> None:
        self.substation = substation  # its name
        self.kwh = kwh  # the last word of its register
        self.reported_at = now  # time of that report, or of the start of its attempt
        self.kwh_per_s: float | None = None  # between the last two words
        self.reserved_kwh = 0.0  # that may have flowed here beyond that word
        self.charging_s = 0.0  # of the attempts that ended


class LegRecord(NamedTuple):
    """A leg as it is shown."""

    substation: str
    energy_kwh: float
    charging_s: float


class Legs:
    """The legs of one session. The first is not written down until there is something to tell."""

    __slots__ = ("_began", "_counted_kwh", "_legs", "_substation", "asked_kwh", "current")

    def __init__(self, asked_kwh: float) -> None:
        """Begin without any.

        Args:
            asked_kwh: what the session is to get in all.
        """
        self.asked_kwh = asked_kwh
        self.current: str | None = None  # the register at which it charges, or is on its way to
        self._legs: dict[str, Leg] = {}
        self._counted_kwh = 0.0

    def __len__(self) -> int:
        return len(self._legs)

    def __contains__(self, register: str) -> bool:
        return register in self._legs or register == self.current

    @property
    def delivered_kwh(self) -> float:
        """What it got, by the last word of each substation."""
        return sum(leg.kwh for leg in self._legs.values())

    @property
    def charging_s(self) -> float:
        """The time of all attempts that ended."""
        return sum(leg.charging_s for leg in self._legs.values())

    @property
    def last(self) -> Leg | None:
        """The leg of the last attempt."""
        return next(reversed(self._legs.values()), None)

    @property
    def remaining_kwh(self) -> float:
        """What it still has to get; 0 where only rounding is left."""
        left_kwh = self.asked_kwh - self.delivered_kwh
        return left_kwh if left_kwh > NOTHING_KWH else 0.0

    @property
    def is_complete(self) -> bool:
        """Whether it has all that it asked for, by the substations' own words."""
        return self.asked_kwh - self.delivered_kwh <= NOTHING_KWH

    def elsewhere_kwh(self, register: str) -> float:
        """Return what it got at the other substations."""
        return sum(leg.kwh for key, leg in self._legs.items() if key != register)

    @property
    def reserved_kwh(self) -> float:
        """What may have flowed where it was lost, beyond the last words."""
        return sum(leg.reserved_kwh for leg in self._legs.values())

    @property
    def has_to_wait(self) -> bool:
        """Whether all that is left may have flowed where it was lost."""
        left_kwh = self.asked_kwh - self.delivered_kwh
        return NOTHING_KWH < left_kwh <= self.reserved_kwh + NOTHING_KWH

    def target_kwh(self, register: str) -> float:
        """Return the total to which this register is to be brought; none left gives 0 or less."""
        reserved_kwh = sum(leg.reserved_kwh for key, leg in self._legs.items() if key != register)
        return self.asked_kwh - self.elsewhere_kwh(register) - reserved_kwh

    def leg(self, register: str) -> Leg | None:
        """Return the leg there, if there is one."""
        leg = self._legs.get(register)
        if leg is None and register == self.current:
            leg = self._legs[register] = Leg(self._substation, 0.0, self._began)
        return leg

    def begin(self, register: str, substation: str, now: float) -> None:
        """Send it there: an attempt begins."""
        self.current, self._substation, self._began = register, substation, now
        if self._legs and (leg := self._legs.pop(register, None)) is not None:
            leg.reported_at, leg.kwh_per_s, leg.reserved_kwh = now, None, 0.0
            self._legs[register] = leg  # the last

    def end(self, register: str, attempt_s: float, kwh: float | None = None) -> None:
        """An attempt is over.

        Args:
            register: where.
            attempt_s: how long it took, seconds.
            kwh: the substation's last word of it; None where it gave none.
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
        """It never came there: what is known to have been sent to nobody is no leg."""
        if self.current == register:
            self.current = None
        leg = self._legs.get(register)
        if leg is not None and not leg.kwh and not leg.charging_s:
            del self._legs[register]

    def lose(self, register: str) -> None:
        """Its substation has lost this register: what it got stays, and a new one begins at 0."""
        leg = self._legs.pop(register, None)
        if leg is not None:
            self._legs[f"{register} lost at {leg.reported_at}"] = leg

    def update(self, register: str, kwh: float, now: float, substation: str | None = None) -> bool:
        """Take in a substation's word; True where it tells of energy that was not counted before.

        Args:
            register: whose word it is.
            kwh: what it says.
            now: the time.
            substation: its name; where there is no leg yet one begins, if a name is given.
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
        self, register: str, substation: str, now: float, most_kwh_per_s: float | None
    ) -> None:
        """Ask nobody else for what may have flowed at a lost substation since its last word.

        Args:
            register: the substation that was lost.
            substation: its name.
            now: until when energy can have flowed there.
            most_kwh_per_s: the most that a point there gives; None where that is not known.
        """
        leg = self.leg(register)
        if leg is None:
            leg = self._legs[register] = Leg(substation, 0.0, now)
            most_kwh_per_s = None
        left_kwh = self.remaining_kwh
        if most_kwh_per_s is not None:
            left_kwh = min(left_kwh, max(0.0, now - leg.reported_at) * most_kwh_per_s)
        leg.reserved_kwh = left_kwh

    def is_reserved(self, register: str) -> bool:
        """Whether some may have flowed there beyond its last word."""
        leg = self._legs.get(register)
        return leg is not None and leg.reserved_kwh > 0

    def release(self, register: str) -> bool:
        """Reserve nothing for a register any more; True if anything was."""
        leg = self._legs.get(register)
        if leg is None or not leg.reserved_kwh:
            return False
        leg.reserved_kwh = 0.0
        return True

    def release_all(self) -> None:
        """Reserve nothing any more."""
        for leg in self._legs.values():
            leg.reserved_kwh = 0.0

    def rename(self, before: str, now: str) -> None:
        """Keep a leg under another id of the same register."""
        if self.current == before:
            self.current = now
        leg = self._legs.pop(before, None)
        if leg is None:
            return
        other = self._legs.get(now)
        if other is None:
            self._legs[now] = leg
        else:  # it was heard of by both, and never falls
            other.kwh = max(other.kwh, leg.kwh)
            other.charging_s += leg.charging_s
            other.reserved_kwh = max(other.reserved_kwh, leg.reserved_kwh)

    def newly_counted_twice_kwh(self) -> float:
        """Return the energy over what was asked that came to light since this was last called."""
        over_kwh = self.delivered_kwh - self.asked_kwh
        new_kwh = over_kwh - self._counted_kwh
        if over_kwh <= NOTHING_KWH or new_kwh <= NOTHING_KWH:
            return 0.0
        self._counted_kwh = over_kwh
        return new_kwh

    def records(self) -> list[LegRecord]:
        """Show the legs that gave any energy, the one of the last attempt last."""
        return [
            LegRecord(leg.substation, leg.kwh, round(leg.charging_s, 3))
            for leg in self._legs.values()
            if leg.kwh
        ]
