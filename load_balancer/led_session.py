"""A session that this balancer leads: its request, its state, and who waits for its end."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gevent import Greenlet
from gevent.event import Event

from grid_common.api.charge import Session
from grid_common.http.cancellation import CancelScope
from grid_common.http.client import UpstreamResponse
from load_balancer.gateway_lease import GatewayLease
from load_balancer.routing.demand import Demand
from load_balancer.routing.legs import LegRecord, Legs
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.substation import Dispatch, QueuedSession, Substation, ignore

FULL_BATTERY = 1.0


class AttemptRevoked(BaseException):
    """The substation of this attempt is lost; the pool has queued the session again.

    A BaseException, like gevent.Timeout, so that no library swallows it.
    """


class StopRequested(BaseException):
    """The session is to end, but its substation has not confirmed it."""


class ChargeResult(NamedTuple):
    """How a session ended: `charged`, `stopped`, or `charging` after a 202 of its substation."""

    status: str
    session: Session
    substation: str | None
    attempts: int
    waited_s: float
    charging_s: float
    # the predicted charging time, and the energy values that the substation reported
    reported: dict[str, float]
    legs: list[LegRecord]  # if there was more than one
    reason: str | None = None  # why it was stopped

    def document(self) -> dict[str, Any]:
        """Return the response document of `POST /charge`."""
        document: dict[str, Any] = {
            "status": self.status,
            **self.session.members(),
            "substation": self.substation,
            "attempts": self.attempts,
            "waited_s": round(self.waited_s, 3),
            "charging_s": round(self.charging_s, 3),
            **self.reported,
        }
        if self.legs:
            document["legs"] = [leg._asdict() for leg in self.legs]
        if self.reason is not None:
            document["reason"] = self.reason
        return document


class LedSession:
    """One session from arrival to end. The pool uses it to wake it, or to interrupt its attempt."""

    # Most sessions need none of these: as class attributes they cost no memory per session.
    attempt: CancelScope | None = None
    attach_to: Substation | None = None  # where it is already charging
    target_kwh = 0.0  # the last target sent to its substation
    was_settled = False  # a substation that it left was asked to stop it
    resuming = False  # the substations are being searched for it
    dropped = False  # led by another balancer, or started again by this one: nothing more to do
    lease: GatewayLease | None = None  # of a durable one
    stop_reason: str | None = None
    has_final_report = False  # its substation has reported its energy up to its stop
    _dispatched: Event | None = None  # only if it has to wait
    # Only for durable and stopped sessions:
    waiters = 0
    done: Event | None = None
    grace_timer: "Greenlet[..., None] | None" = None
    outcome: ChargeResult | Exception | None = None
    ended_at = expires = 0.0

    def __init__(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        grace_s: float | None,
        on_revoked: "Callable[[LedSession, Dispatch], None]",
    ) -> None:
        """Create a session.

        Args:
            session: what is asked for.
            request_id: ID of the request in all log lines.
            wait_s: maximum wait for a free point, seconds.
            grace_s: how long it continues if nobody waits for it, seconds; None stops it then.
            on_revoked: called when its substation is lost, before it is dispatched again.
        """
        now = time.monotonic()
        self.session = session
        self.grace_s = grace_s
        self.on_revoked = on_revoked
        self.legs = Legs(session.kwh)
        self.queued = QueuedSession(
            session.session_id,
            session.vehicle_id,
            arrived=now,
            deadline=now + wait_s,
            demand=Demand(*session[2:]),
            request_id=request_id,
            on_dispatch=self.wake,
            on_revoked=self._on_revoked,
        )
        self.failures: dict[str, str] = {}  # by substation, the result of the last attempt there
        self.amendments: list[Greenlet[..., tuple[Outcome, UpstreamResponse] | None]] = []
        self.settling: dict[str, Event] = {}  # by register, set once its DELETE was answered

    def has_lease(self) -> bool:
        """Return whether this balancer may dispatch it, amend it, and stop it elsewhere."""
        if self.dropped:
            return False
        return self.lease is None or self.lease.is_valid(time.monotonic())

    def has_moved(self) -> bool:
        """Return whether its gateway has moved it to another balancer."""
        return self.lease is not None and self.lease.has_moved()

    @property
    def is_durable(self) -> bool:
        """Whether it outlives the connection of its caller."""
        return self.grace_s is not None

    @property
    def is_complete(self) -> bool:
        """Whether its legs delivered all that it asked for, as reported."""
        return bool(self.legs) and self.legs.is_complete

    def session_at(self, register: str) -> Session:
        """Return the request to a substation: its register is to reach what the others leave over.

        The state of charge is the one before the substation's own attempts and after those
        elsewhere.
        """
        if not self.legs:
            return self.session
        asked = self._after(self.legs.elsewhere_kwh(register))
        return asked._replace(kwh=self.legs.target_kwh(register))

    def ids(self) -> dict[str, str]:
        """Return its IDs for a log line."""
        return {
            "session_id": self.session.session_id,
            "vehicle_id": self.session.vehicle_id,
            "request_id": self.queued.request_id,
        }

    def update_demand(self) -> None:
        """Have its next substation chosen by the energy that it still needs."""
        if self.legs.delivered_kwh:
            self.queued.demand = Demand(*self._after(self.legs.delivered_kwh)[2:])

    def _after(self, delivered_kwh: float) -> Session:
        session = self.session
        soc = session.soc
        if soc is not None and session.battery_kwh is not None:
            soc = min(FULL_BATTERY, soc + delivered_kwh / session.battery_kwh)
        return session._replace(kwh=session.kwh - delivered_kwh, soc=soc)

    def wait_for_dispatch(self, within_s: float) -> None:
        """Wait until the pool has dispatched it, or it is woken."""
        self._dispatched = Event()
        self._dispatched.wait(within_s)
        self._dispatched = None

    def close(self) -> None:
        """End its part in the pool, without a reference cycle, which would be collected late."""
        self.queued.on_dispatch = self.queued.on_revoked = ignore

    def wake(self, _dispatch: Dispatch | None = None) -> None:
        """Make it check its state, if it is waiting: it is dispatched, or to be ended."""
        if self._dispatched is not None:
            self._dispatched.set()

    def _on_revoked(self, dispatch: Dispatch) -> None:
        self.on_revoked(self, dispatch)
        if self.attempt is not None:
            self.attempt.throw(AttemptRevoked())
