"""The ledger's rows, and the changes to them."""

import secrets
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from grid_common.api.charge import Session, vehicle_of


class Kind(StrEnum):
    """What happens to a session when its caller disconnects."""

    PLAIN = "plain"  # it stops
    KEYED = "keyed"  # it continues for the grace; its caller may attach again with the key
    ASYNC = "async"  # it continues to its end


class State(StrEnum):
    """The state of a session. The last three are final, and written once."""

    WAITING = "waiting"
    CHARGING = "charging"
    CHARGED = "charged"
    STOPPED = "stopped"
    REFUSED = "refused"


_ID_MS_DIGITS, _ID_RANDOM_BYTES = 12, 6


def new_session_id(now_ms: int) -> str:
    """Return an ID for a session that begins at `now_ms`, milliseconds since 1970.

    IDs sort by time. So the newest rows are next to each other in the ledger, each commit writes
    few pages, and lists need no other order. The rest is random and cannot be guessed.
    """
    return f"{first_session_id(now_ms)}{secrets.token_hex(_ID_RANDOM_BYTES)}"


def first_session_id(from_ms: int) -> str:
    """Return a lower bound of the IDs from a time on, milliseconds since 1970."""
    return f"{min(max(0, from_ms), 16**_ID_MS_DIGITS - 1):0{_ID_MS_DIGITS}x}"


_SESSION = len(Session._fields)
FINAL = frozenset({State.CHARGED, State.STOPPED, State.REFUSED})


class Begin(NamedTuple):
    """Insert a session: what was asked for, and by whom."""

    session_id: str
    vehicle_id: str | None  # if the vehicle sent one
    kwh: float  # energy asked for
    max_power_kw: float | None  # maximum power of the vehicle
    battery_kwh: float | None  # capacity of the battery
    soc: float | None  # state of charge of the battery, 0 to 1
    kind: Kind
    owner: str  # name of its caller's API key; empty if none is needed
    key: str | None  # its Idempotency-Key, unique for its owner
    digest: str | None  # hash of the request with the key
    wait_s: float  # how long it may wait for a free point, seconds
    began_us: int  # when it arrived, microseconds since 1970
    gateway: str  # name of the process that runs it

    @property
    def vehicle(self) -> str:
        """ID of its vehicle; generated if it sent none."""
        return self.vehicle_id or vehicle_of(self.session_id)

    def session(self) -> Session:
        """Return what was asked for."""
        return Session._make(self[:_SESSION])._replace(vehicle_id=self.vehicle)


_BEGIN, _KIND = len(Begin._fields), Begin._fields.index("kind")


class End(NamedTuple):
    """Record how a session ended; unknown values are None, as are all of one that has not ended."""

    session_id: str
    state: State
    ended_us: int | None  # microseconds since 1970
    substation: str | None = None  # where it charged last
    attempts: int | None = None
    waited_s: float | None = None  # time without a point, seconds
    charging_s: float | None = None  # time at a point, seconds
    energy_kwh: float | None = None  # metered
    mean_power_kw: float | None = None  # while at a point
    peak_power_kw: float | None = None
    legs: str | None = None  # as JSON, if there was more than one
    reason: str | None = None  # why it was stopped or refused
    # Its response. The last three are kept only with a key, for repeated requests.
    status: int | None = None
    content_type: str | None = None
    body: str | None = None
    retry_after: str | None = None


class Forget(NamedTuple):
    """Delete a session that was never forwarded."""

    session_id: str


class Record(NamedTuple):
    """A row of the ledger: how a session began, and how it ended, if it has."""

    begin: Begin
    end: End

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Self:
        """Return the record of a row, whose columns are the fields of `Begin`, then of `End`."""
        begin = (*row[:_KIND], Kind(row[_KIND]), *row[_KIND + 1 : _BEGIN])
        end = (row[0], State(row[_BEGIN]), *row[_BEGIN + 1 :])
        return cls(Begin._make(begin), End._make(end))

    @property
    def session_id(self) -> str:
        """Its ID."""
        return self.begin.session_id

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.end.ended_us is not None
