"""What the ledger holds of a session."""

import secrets
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from grid_common.api.charge import Session, vehicle_of

__all__ = [
    "FINAL",
    "Begin",
    "End",
    "Forget",
    "Kind",
    "Record",
    "State",
    "first_session_id",
    "new_session_id",
]


class Kind(StrEnum):
    """What becomes of a session when its caller is gone."""

    PLAIN = "plain"  # it stops
    KEYED = "keyed"  # it goes on for a grace, and its caller may come back with the same key
    ASYNC = "async"  # it goes on to its end


class State(StrEnum):
    """How far a session is. The last three are final, and written once."""

    WAITING = "waiting"
    CHARGING = "charging"
    CHARGED = "charged"
    STOPPED = "stopped"
    REFUSED = "refused"


_ID_MS_DIGITS, _ID_RANDOM_BYTES = 12, 6


def new_session_id(now_ms: int) -> str:
    """Name a session that begins at `now_ms`, milliseconds since 1970.

    Names sort by time: so the newest rows are beside each other in the ledger, where each commit
    writes few pages, and the list needs no other order. The rest is random, beyond guessing.
    """
    return f"{first_session_id(now_ms)}{secrets.token_hex(_ID_RANDOM_BYTES)}"


def first_session_id(from_ms: int) -> str:
    """Return what comes before every session that begins then or later, milliseconds since 1970."""
    return f"{min(max(0, from_ms), 16**_ID_MS_DIGITS - 1):0{_ID_MS_DIGITS}x}"


_SESSION = len(Session._fields)
FINAL = frozenset({State.CHARGED, State.STOPPED, State.REFUSED})


class Begin(NamedTuple):
    """A session that begins: what was asked for, and by whom.

    Attributes:
        session_id: its name.
        vehicle_id: its vehicle's, None where it told none.
        kwh: energy asked for, kWh.
        max_power_kw: most that the vehicle takes, kW.
        battery_kwh: its battery's capacity, kWh.
        soc: its battery's state of charge, 0 to 1.
        kind: what becomes of it when its caller is gone.
        owner: the name of its caller's API key; empty where none is needed.
        key: its Idempotency-Key, unique for its owner.
        digest: of the payload that came with the key.
        wait_s: how long it may wait for a free point, seconds.
        began_us: when it came, microseconds since 1970.
        gateway: the process that sees to it.
    """

    session_id: str
    vehicle_id: str | None
    kwh: float
    max_power_kw: float | None
    battery_kwh: float | None
    soc: float | None
    kind: Kind
    owner: str
    key: str | None
    digest: str | None
    wait_s: float
    began_us: int
    gateway: str

    def session(self) -> Session:
        """Return what was asked for."""
        session = Session._make(self[:_SESSION])
        return session._replace(vehicle_id=self.vehicle_id or vehicle_of(self.session_id))


_BEGIN = len(Begin._fields)


class End(NamedTuple):
    """How a session ended; what nobody told is None.

    Attributes:
        session_id: its name.
        state: a final one.
        ended_us: when, microseconds since 1970.
        substation: where it charged last.
        attempts: how many substations were tried.
        waited_s: time without a point, seconds.
        charging_s: time at a point, seconds.
        energy_kwh: delivered, as metered, kWh.
        mean_power_kw: of its time at a point, kW.
        peak_power_kw: most that was drawn, kW.
        legs: JSON: its part at each substation, where there was more than one.
        reason: why it was stopped or refused.
        status: HTTP status of its answer.
        content_type: of its answer's body.
        body: its answer's; kept with a key alone, to be answered again.
        retry_after: its answer's header of this name.
    """

    session_id: str
    state: State
    ended_us: int
    substation: str | None = None
    attempts: int | None = None
    waited_s: float | None = None
    charging_s: float | None = None
    energy_kwh: float | None = None
    mean_power_kw: float | None = None
    peak_power_kw: float | None = None
    legs: str | None = None
    reason: str | None = None
    status: int | None = None
    content_type: str | None = None
    body: str | None = None
    retry_after: str | None = None


class Forget(NamedTuple):
    """A session that is to be as if it had never come: it was not forwarded."""

    session_id: str


class Record(NamedTuple):
    """A row of the ledger: the members of `Begin`, then those of `End`."""

    session_id: str
    vehicle_id: str | None
    kwh: float
    max_power_kw: float | None
    battery_kwh: float | None
    soc: float | None
    kind: str
    owner: str
    key: str | None
    digest: str | None
    wait_s: float
    began_us: int
    gateway: str
    state: str
    ended_us: int | None
    substation: str | None
    attempts: int | None
    waited_s: float | None
    charging_s: float | None
    energy_kwh: float | None
    mean_power_kw: float | None
    peak_power_kw: float | None
    legs: str | None
    reason: str | None
    status: int | None
    content_type: str | None
    body: str | None
    retry_after: str | None

    @classmethod
    def whole(cls, begin: Begin, end: End) -> "Record":
        """Return the row of a session that began and ended so."""
        return cls._make((*begin, *end[1:]))

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.ended_us is not None

    @property
    def vehicle(self) -> str:
        """Its vehicle's name."""
        return self.vehicle_id or vehicle_of(self.session_id)

    def begin(self) -> Begin:
        """Return how it began."""
        return Begin._make(self[:_BEGIN])._replace(kind=Kind(self.kind))

    def legs_list(self) -> list[dict[str, Any]]:
        """Return its part at each substation, where there was more than one."""
        legs: list[dict[str, Any]] = orjson.loads(self.legs) if self.legs else []
        return legs
