"""A pool with a virtual clock, and substations that respond as a test says."""

from collections.abc import Sequence
from random import Random
from typing import Any

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import HealthCheck, Reading
from load_balancer.routing.matching import Deferred
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Candidate, Decision
from load_balancer.routing.pool import Pool
from load_balancer.routing.prediction import Supply
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Dispatch, QueuedSession, Substation

TEN_KWH = Demand(10.0)
CHECK = HealthCheck(interval_s=0.5, max_pause_s=10)


def polled_substation(
    reading: Reading, *, name: str = "a", order: int = 0, now: float = 0.0
) -> Substation:
    """Return a substation without a pool that was polled once, at `now`."""
    substation = Substation(name, f"http://{name}", balancers=1, health_check=HealthCheck())
    substation.order = order
    substation.poll_began(now)
    substation.read(reading, now)
    return substation


def candidate(name: str, load: int, capacity: int = 10, last_chosen: int = 0) -> Candidate:
    score = (load + 1) / capacity
    return Candidate(f"http://{name}:5002", name, load, capacity, score, 0.1, last_chosen)


class Grid:
    """The substations `a`, `b` and so on, or `names`, with these capacities, each polled once."""

    def __init__(
        self,
        *capacities: int,
        names: Sequence[str] = "abcdefgh",
        policy: str = "least-loaded",
        balancers: int = 1,
        queue_limit: int = 10_000,
        budget: RetryBudget | None = None,
        max_scanned: int = 32,
        health_check: HealthCheck = CHECK,
        pool: type[Pool] = Pool,
    ) -> None:
        self.now = 1000.0
        self.decisions: list[Decision] = []
        self.revoked: list[Dispatch] = []
        self.reported_deferred: list[Deferred] = []
        self.polls_wanted: list[str] = []
        self.pool = pool(
            POLICIES[policy],
            random=Random(1),
            health_check=health_check,
            budget=budget or RetryBudget(share=0.2, floor_per_s=20, burst=200),
            balancers=balancers,
            queue_limit=queue_limit,
            on_decision=self.decisions.append,
            on_deferred=self.reported_deferred.append,
            on_poll_wanted=lambda substation: self.polls_wanted.append(substation.name),
            max_scanned=max_scanned,
        )
        self.capacities = dict(zip(names, capacities, strict=False))
        self.know(*self.capacities)
        for name in self.capacities:
            self.poll(name)

    def know(self, *names: str) -> None:
        """Tell the pool that these substations exist."""
        self.pool.set_substations([(name, f"http://{name}:5002") for name in names], self.now)

    def substation(self, name: str) -> Substation:
        return self.pool.substations[f"http://{name}:5002"]

    def knows(self, name: str) -> bool:
        return f"http://{name}:5002" in self.pool.substations

    def own_and_foreign(self, name: str) -> tuple[int, int]:
        """Return how many vehicles a substation has of this balancer, and of others."""
        substation = self.substation(name)
        return substation.own, substation.foreign

    def supply(self, name: str = "a") -> Supply:
        found = self.substation(name).supply(self.now)
        assert found is not None, f"{name} does not publish its power"
        return found

    def ineligible_reason(self, name: str) -> str | None:
        return self.substation(name).ineligible_reason(self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    # Polls

    def poll(self, name: str, load: int | None = None, **more: Any) -> None:
        """Poll a substation, as `poll_ends` takes it.

        By default its gauge shows this balancer's vehicles there.
        """
        self.poll_begins(name)
        self.poll_ends(name, load, **more)

    def poll_all(self) -> None:
        for name in self.capacities:
            self.poll(name)

    def poll_begins(self, name: str) -> None:
        self.pool.poll_began(self.substation(name), self.now)

    def poll_ends(
        self,
        name: str,
        load: int | None = None,
        *,
        capacity: int | None = None,
        draining: bool = False,
        **power: float | None,
    ) -> None:
        """End a poll with what a substation's page shows."""
        substation = self.substation(name)
        shown = len(substation.in_flight) if load is None else load
        points = self.capacities[name] if capacity is None else capacity
        reading = Reading(shown, points, draining, **power)  # type: ignore[arg-type] # by name
        self.pool.poll_read(substation, reading, self.now)

    def poll_missed(self, name: str, times: int = 1) -> None:
        for _ in range(times):
            self.poll_begins(name)
            self.pool.poll_missed(self.substation(name), "no response within 0.8 s", self.now)

    def poll_unreadable(self, name: str, why: str = "garbled", times: int = 1) -> None:
        for _ in range(times):
            self.pool.poll_unreadable(self.substation(name), why)

    # Vehicles

    def session(
        self, vehicle: str = "EV", *, wait_s: float = 60, demand: Demand = TEN_KWH
    ) -> QueuedSession:
        """Make a session of a vehicle that comes now, and do not queue it yet."""
        return QueuedSession(
            vehicle,
            vehicle,
            arrived=self.now,
            deadline=self.now + wait_s,
            demand=demand,
            on_revoked=self.revoked.append,
        )

    def arrive(self, vehicle: str = "EV", **options: Any) -> QueuedSession:
        """Queue the session of a vehicle, as `session` takes it."""
        queued = self.session(vehicle, **options)
        self.pool.arrive(queued, self.now)
        return queued

    def attach(self, name: str, queued: QueuedSession | None = None) -> QueuedSession:
        """Attach a session that charges at a substation already."""
        queued = queued or self.session()
        self.pool.attach(queued, self.substation(name), self.now)
        return queued

    def fill(self, name: str) -> list[QueuedSession]:
        """Charge vehicles until a grid of one substation, or with one left, is full."""
        queued_sessions: list[QueuedSession] = []
        while self.ineligible_reason(name) is None:
            queued_sessions.append(self.arrive(f"filler-{name}-{len(queued_sessions)}"))
        return queued_sessions

    def where(self, queued: QueuedSession) -> str | None:
        return queued.dispatch.substation.name if queued.dispatch else None

    def charge(self, seconds: float) -> None:
        """Charge a vehicle that comes now for so long, and poll `a` at its end."""
        queued = self.arrive()
        self.pass_time(seconds)
        self.complete(queued)
        self.poll("a")

    def complete(self, queued: QueuedSession) -> None:
        self.end(queued, Outcome.CHARGED)

    def accept(self, queued: QueuedSession) -> None:
        self.end(queued, Outcome.ACCEPTED)

    def find_full(self, queued: QueuedSession) -> None:
        self.end(queued, Outcome.FULL)

    def find_draining(self, queued: QueuedSession) -> None:
        self.end(queued, Outcome.DRAINING)

    def reject(self, queued: QueuedSession) -> None:
        self.end(queued, Outcome.REJECTED)

    def fail(self, queued: QueuedSession, reason: str = "refused") -> None:
        self.end(queued, Outcome.FAILED, reason=reason, why=f"the connection was {reason}")

    def stop(self, queued: QueuedSession, *, goes_on: bool) -> None:
        self.end(queued, Outcome.STOPPED, goes_on=goes_on)

    def end(self, queued: QueuedSession, outcome: Outcome, **options: Any) -> None:
        self.pool.end(self.dispatch_of(queued), outcome, self.now, **options)

    def disconnect(self, queued: QueuedSession) -> None:
        self.pool.leave(queued, self.now)

    def dispatch_of(self, queued: QueuedSession) -> Dispatch:
        assert queued.dispatch is not None, f"{queued.session_id} is at no substation"
        return queued.dispatch
