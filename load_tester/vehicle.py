"""A vehicle as planned, and what became of it. Times in seconds after the start of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class PlanError(ValueError):
    """A run that cannot be planned as asked; the message names option or file, fault and remedy."""


class Need(NamedTuple):
    """What a vehicle asks for, and what it tells of itself. None: it does not tell."""

    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None  # state of charge on arrival, 0 to 1


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle as planned: when it is due, what it will ask for and tell of itself."""

    number: int
    due: float
    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None

    def body(self, vehicle_id: str) -> bytes:
        """Write the JSON that it sends; what it does not tell is left out."""
        body = f'{{"vehicle_id":"{vehicle_id}","kwh":{self.kwh!r}'
        for name in _REPORTED:
            value = getattr(self, name)
            if value is not None:
                body += f',"{name}":{value!r}'
        return f"{body}}}".encode()


_REPORTED = Need._fields[1:]


class Outcome(StrEnum):
    """What became of a vehicle."""

    CHARGED = "charged"  # 200: got all that it asked for
    ACCEPTED = "accepted"  # 202: the substation goes on charging after its answer
    STOPPED = "stopped"  # 200, or its session's state: ended before it had all that it asked for
    REFUSED = "refused"  # 503: no substation could take it in time; 429: too many asked
    REJECTED = "rejected"  # any other 4xx: the grid did not take the request
    FAILED = "failed"  # no answer, another 5xx, or an answer that cannot be right
    CUT_SHORT = "cut short"  # the tester was told to stop while the vehicle waited or charged

    @property
    def lost(self) -> bool:
        """Whether the grid failed the vehicle."""
        return self in _LOST


_LOST = frozenset({Outcome.STOPPED, Outcome.REFUSED, Outcome.REJECTED, Outcome.FAILED})


@dataclass(slots=True)
class Charge:
    """A vehicle's way through the grid.

    `status` is the last answer's, None without one; `reason` tells why a vehicle was not charged;
    `attempts`, `waited_s`, `charging_s`, the powers and `energies` are the grid's own words.
    """

    vehicle: Vehicle
    vehicle_id: str
    due: float
    started: float
    ended: float = 0.0
    outcome: Outcome = Outcome.CUT_SHORT
    status: int | None = None
    reason: str = ""
    session_id: str | None = None
    substation: str | None = None
    attempts: int = 1
    waited_s: float | None = None
    charging_s: float | None = None
    mean_power_kw: float | None = None
    peak_power_kw: float | None = None
    energies: Mapping[str, float] = field(default_factory=dict)  # kWh by substation, if told
    tries: int = 1
    unanswered: int = 0  # tries that were sent and never answered: the grid may have served them
    keys: int = 0  # idempotency keys that it used, a session each; 0: it asks without
    replayed: bool = False  # the answer had been given before, or was its session's by then
    asked: float = 0.0  # when the request was sent that began its session, as far as known

    @property
    def time_to_charge(self) -> float:
        """From due to answered. Taken from due, so a grid that stalls cannot hide its queue."""
        return self.ended - self.due

    @property
    def delay(self) -> float | None:
        """What waiting, hops and retries added to the charging itself; None where not told."""
        if self.charging_s is None:
            return None
        return max(0.0, self.time_to_charge - self.charging_s)

    @property
    def key(self) -> str | None:
        """The idempotency key that it sends now."""
        if not self.keys:
            return None
        return self.vehicle_id if self.keys == 1 else f"{self.vehicle_id}.{self.keys}"

    @property
    def most_sessions(self) -> int:
        """How many sessions it asked for: one a key, else one a try."""
        return self.keys or self.tries

    @property
    def answered_kwh(self) -> Mapping[str, float]:
        """The energy that it was told to have got, by substation; none: not told where."""
        if self.outcome is Outcome.CHARGED and not self.energies:
            return {self.substation or "": self.vehicle.kwh}
        return self.energies

    @property
    def lag(self) -> float:
        """How late the tester itself was in sending the vehicle."""
        return self.started - self.due


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a run with a name of its own: a step of `stress`."""

    name: str
    start: float
    end: float
    rate: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All vehicles of a run, in the order in which they are due.

    With `concurrency`, due times are not used: each of so many callers sends its next vehicle as
    soon as its last is done.
    """

    scenario: str
    summary: str
    vehicles: Sequence[Vehicle]
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    concurrency: int | None = None

    @property
    def duration(self) -> float:
        """When the last vehicle is due."""
        return self.vehicles[-1].due if self.vehicles else 0.0

    @property
    def total_kwh(self) -> float:
        """Energy that all vehicles ask for."""
        return sum(vehicle.kwh for vehicle in self.vehicles)
