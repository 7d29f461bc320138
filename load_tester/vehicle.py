"""A planned vehicle, and its results. Times in seconds after the start of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import orjson


class PlanError(ValueError):
    """A run cannot be planned as requested; the message names option or file, fault and remedy."""


class Need(NamedTuple):
    """What a vehicle asks for, and its properties. None: not sent."""

    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None  # state of charge on arrival, 0 to 1


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One planned vehicle: when it is due, what it asks for, and its properties."""

    number: int
    due: float
    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None

    def body(self, vehicle_id: str) -> bytes:
        """Return the JSON body that it sends, without unknown properties."""
        values = {name: getattr(self, name) for name in Need._fields}
        known = {name: value for name, value in values.items() if value is not None}
        return orjson.dumps({"vehicle_id": vehicle_id, **known})


class Outcome(StrEnum):
    """The outcome of a vehicle."""

    CHARGED = "charged"  # 200: received all that it asked for
    ACCEPTED = "accepted"  # 202: the substation continues to charge after its response
    STOPPED = "stopped"  # 200, or its session's state: ended before it was fully charged
    REFUSED = "refused"  # 503: no substation could accept it in time; 429: rate limit
    REJECTED = "rejected"  # any other 4xx: the grid did not accept the request
    FAILED = "failed"  # no response, another 5xx, or an implausible response
    CUT_SHORT = "cut short"  # the tester was told to stop while the vehicle was waiting or charging

    @property
    def lost(self) -> bool:
        """Whether the grid failed the vehicle."""
        return self in _LOST


_LOST = frozenset({Outcome.STOPPED, Outcome.REFUSED, Outcome.REJECTED, Outcome.FAILED})


@dataclass(slots=True)
class Charge:
    """A vehicle's way through the grid.

    `status` is that of the last response, None without one; `reason` says why a vehicle was not
    charged; `attempts`, `waited_s`, `charging_s`, the powers and `energies` are as reported by the
    grid.
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
    energies: Mapping[str, float] = field(default_factory=dict)  # kWh by substation, if reported
    tries: int = 1
    unanswered: int = 0  # tries that were sent without a response: the grid may have served them
    keys: int = 0  # idempotency keys that it used, one per session; 0: it sends none
    replayed: bool = False  # the response was a repeated one, or its session had already ended
    asked: float = 0.0  # when the request was sent that began its session, as far as known

    @property
    def time_to_charge(self) -> float:
        """Time from due to response: a grid that stalls cannot hide its queue."""
        return self.ended - self.due

    @property
    def delay(self) -> float | None:
        """What waiting, hops and retries added to the charging itself; None if unknown."""
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
        """How many sessions it asked for: one per key, otherwise one per try."""
        return self.keys or self.tries

    @property
    def end_unknown(self) -> bool:
        """Whether its last response leaves open if the grid charges it."""
        if self.outcome is Outcome.CUT_SHORT:
            # With another status it was refused, and cut short before the next try.
            return self.status in (None, 202)
        failed_with_response = self.outcome is Outcome.FAILED and self.status is not None
        return self.outcome is Outcome.ACCEPTED or failed_with_response

    @property
    def answered_kwh(self) -> Mapping[str, float]:
        """The energy that was reported to it, by substation; empty: no substation was reported."""
        if self.outcome is Outcome.CHARGED and not self.energies:
            return {self.substation or "": self.vehicle.kwh}
        return self.energies

    @property
    def lag(self) -> float:
        """How late the tester itself sent the vehicle."""
        return self.started - self.due


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of a run: a step of `stress`."""

    name: str
    start: float
    end: float
    rate: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All vehicles of a run, in the order in which they are due.

    With `concurrency`, due times are not used: each of that many callers sends its next vehicle as
    soon as its last one is done.
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
