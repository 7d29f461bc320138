"""Model substations and callers around a real pool, for tests that try any order of events.

Every message is a thing of its own that arrives when the test says so: a request on its way to a
substation, the answer on its way back, a disconnect, a poll and its page.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Health, HealthCheck, Reading
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.policy import Decision
from load_balancer.routing.pool import Pool, QueueFull
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Dispatch, QueuedSession, Substation

SHARE, FLOOR_PER_S, BURST = 0.2, 0.5, 3.0
QUEUE_LIMIT = 6


@dataclass(eq=False)
class Attempt:
    """A request to charge: first on its way, then at the substation, then answered."""

    dispatch: Dispatch
    arrived: bool = False
    answer: Outcome | None = None
    client_disconnected: bool = False
    revoked: bool = False


@dataclass(eq=False)
class ModelSubstation:
    address: str
    capacity: int
    point_power_kw: float | None = None  # None: it publishes load and capacity alone
    power_limit_kw: float | None = None
    alive: bool = True
    draining: bool = False
    foreign: int = 0  # and vehicles that charge on after a 202, or whose disconnect is on its way
    charging: list[Attempt] = field(default_factory=list)
    page: Reading | None = None  # of the poll that is under way
    polled: Substation | None = None  # the pool's substation that is being polled
    polls: int = 0  # begun so far
    # For each vehicle that was let go while its point may still be taken: polls begun before that.
    unconfirmed: list[int] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.charging) + self.foreign

    def write_page(self) -> Reading:
        page = Reading(self.load, self.capacity, self.draining)
        if self.point_power_kw is None:
            return page
        demands = [attempt.dispatch.queued.demand for attempt in self.charging]
        demands += [Demand(10.0)] * self.foreign
        return replace(
            page,
            power_limit_kw=self.power_limit_kw,
            point_power_kw=self.point_power_kw,
            committed_power_kw=sum(one.cap_kw(self.point_power_kw) for one in demands),
            remaining_energy_kwh=sum(one.kwh for one in demands) / 2,
            time_scale=360.0,
        )


class Model:
    """A pool, its substations, its callers, and the checks that hold at every dispatch."""

    def __init__(self, policy: str, balancers: int, pool: type[Pool] = Pool) -> None:
        self.now = 100.0
        self.pool = pool(
            POLICIES[policy],
            random=Random(3),
            health_check=HealthCheck(),
            budget=RetryBudget(share=SHARE, floor_per_s=FLOOR_PER_S, burst=BURST),
            balancers=balancers,
            queue_limit=QUEUE_LIMIT,
            on_decision=self._decided,
        )
        self.substations: dict[str, ModelSubstation] = {}
        self.attempts: list[Attempt] = []  # neither answered nor given up
        self.queued_sessions: list[QueuedSession] = []  # neither answered nor given up
        self.ended: Counter[str] = Counter()
        self.left: set[str] = set()
        self.started = self.first_attempts = self.paid_attempts = 0
        self.arrivals: dict[str, int] = {}  # by session, which one it was
        self.last_call: QueuedSession | None = None

    def add_substation(
        self, name: str, capacity: int, power_kw: tuple[float | None, float | None] = (None, None)
    ) -> None:
        """Add a substation.

        `power_kw` is that of a point, and the limit, where it publishes them.
        """
        address = f"http://{name}:5002"
        self.substations[address] = ModelSubstation(address, capacity, *power_kw)

    def know(self, addresses: list[str]) -> None:
        self.pool.set_substations([(address, address) for address in addresses], self.now)

    # Polls

    def poll_begins(self, substation: ModelSubstation) -> None:
        substation.polls += 1
        substation.polled = self.pool.substations[substation.address]
        self.pool.poll_began(substation.polled, self.now)

    def page_is_written(self, substation: ModelSubstation) -> None:
        if substation.polled is not None and substation.alive:
            substation.page = substation.write_page()

    def page_is_read(self, substation: ModelSubstation) -> None:
        if substation.polled is not None and substation.page is not None:
            polled, page = substation.polled, substation.page
            self.poll_is_over(substation)
            substation.unconfirmed = [
                poll for poll in substation.unconfirmed if poll >= substation.polls
            ]
            self.pool.poll_read(polled, page, self.now)

    def poll_is_over(self, substation: ModelSubstation) -> None:
        substation.polled = substation.page = None

    def poll(self, substation: ModelSubstation) -> None:
        if substation.alive and substation.address in self.pool.substations:
            self.poll_begins(substation)
            self.page_is_written(substation)
            self.page_is_read(substation)

    def poll_is_missed(self, substation: ModelSubstation) -> None:
        known = self.pool.substations.get(substation.address)
        self.poll_is_over(substation)
        if known is not None:
            substation.polls += 1
            self.pool.poll_began(known, self.now)
            self.pool.poll_missed(known, "no answer", self.now)

    # Callers

    def arrive(self, wait_s: float, demand: Demand) -> None:
        number = len(self.arrivals)
        self.arrivals[f"session-{number}"] = number
        queued = QueuedSession(
            f"session-{number}",
            f"EV-{number}",
            arrived=self.now,
            deadline=self.now + wait_s,
            demand=demand,
            on_dispatch=self._dispatched,
            on_revoked=self._revoked,
        )
        try:
            self.pool.arrive(queued, self.now)
        except QueueFull:
            assert len(self.pool.waiting) >= QUEUE_LIMIT
            self._end(queued, "queue full")
        else:
            self.queued_sessions.append(queued)

    def disconnect(self, queued: QueuedSession) -> None:
        self._end(queued, "disconnected")

    def give_up_late_ones(self) -> None:
        """Do what the dispatcher does: refuse who has waited for as long as it may."""
        for queued in list(self.queued_sessions):
            if queued.dispatch is None and self.now > queued.deadline:
                self.last_call = queued
                self.pool.last_call(queued, self.now)
                self.last_call = None
                if queued.dispatch is None:
                    free = [
                        one
                        for one in self.pool.substations.values()
                        if not one.ineligible_reason(self.now)
                    ]
                    barred = (
                        queued.rejected_by or queued.costs_budget or (queued.not_before > self.now)
                    )
                    assert barred or not free, f"{queued.session_id} is refused beside a free point"
                    self._end(queued, "deadline")

    def _end(self, queued: QueuedSession, how: str) -> None:
        assert queued.session_id not in self.left, f"{queued.session_id} ends a second time"
        for attempt in self.attempts:
            if attempt.dispatch is queued.dispatch:
                attempt.client_disconnected = True
                self._let_go(attempt.dispatch)
        self.pool.leave(queued, self.now)
        self.left.add(queued.session_id)
        self.ended[how] += 1
        if queued in self.queued_sessions:
            self.queued_sessions.remove(queued)

    # Requests on their way to the substations, and what comes back

    def reach_substation(self, attempt: Attempt) -> None:
        substation = self.substations[attempt.dispatch.substation.address]
        attempt.arrived = True
        if attempt.client_disconnected:
            self.attempts.remove(attempt)
        elif not substation.alive:
            attempt.answer = Outcome.FAILED
        elif substation.draining:
            attempt.answer = Outcome.DRAINING
        elif substation.load >= substation.capacity:
            attempt.answer = Outcome.FULL
        else:
            substation.charging.append(attempt)

    def substation_answers(self, attempt: Attempt, answer: Outcome) -> None:
        substation = self.substations[attempt.dispatch.substation.address]
        substation.charging.remove(attempt)
        if answer is Outcome.ACCEPTED:
            substation.foreign += 1
        attempt.answer = answer

    def substation_sees_disconnect(self, attempt: Attempt) -> None:
        self.substations[attempt.dispatch.substation.address].charging.remove(attempt)
        self.attempts.remove(attempt)

    def deliver(self, attempt: Attempt, *, late: bool = False) -> None:
        """Have the answer arrive at the balancer.

        `late`: also where the substation was lost meanwhile, as when both happen in one turn of the
            loop.
        """
        self.attempts.remove(attempt)
        dispatch, queued = attempt.dispatch, attempt.dispatch.queued
        comes_late = attempt.revoked and late and queued.session_id not in self.left
        if attempt.client_disconnected and not comes_late:
            return
        if dispatch.open and attempt.answer in (Outcome.ACCEPTED, Outcome.FAILED):
            self._let_go(dispatch)
        assert attempt.answer is not None
        self.pool.end(dispatch, attempt.answer, self.now, reason="reset")
        if attempt.answer in (Outcome.CHARGED, Outcome.ACCEPTED):
            self._end(queued, f"{attempt.answer} late" if comes_late else attempt.answer.value)
        elif queued.dispatch is None and self.pool.is_rejected_everywhere(queued):
            self._end(queued, "rejected")

    def kill(self, substation: ModelSubstation) -> None:
        substation.alive = False
        substation.foreign = 0
        for attempt in substation.charging:
            attempt.answer = Outcome.FAILED
        substation.charging.clear()

    # What the pool does

    def _decided(self, decision: Decision) -> None:
        assert decision.sequence == self.started + 1
        if self.pool.policy.name == "least-loaded":
            chosen = next(one for one in decision.candidates if one.name == decision.substation)
            best = min((one.score, one.last_chosen) for one in decision.candidates)
            assert (chosen.score, chosen.last_chosen) == best

    def _dispatched(self, dispatch: Dispatch) -> None:
        self.started += 1
        queued, substation = dispatch.queued, dispatch.substation
        if queued.attempts == 1:
            self.first_attempts += 1
        self.paid_attempts += queued.costs_budget
        assert queued.session_id not in self.left, "dispatched after it left"
        in_time = self.now <= queued.deadline
        assert in_time or queued is self.last_call, "dispatched after its deadline"
        assert self.now >= queued.not_before, "dispatched while it pauses"
        assert substation.address not in queued.rejected_by, (
            "dispatched to a substation that rejected it"
        )
        assert substation.health is Health.UP, (
            f"dispatched to a substation that is {substation.health}"
        )
        assert not substation.leaving, "dispatched to a substation that vanished"
        assert substation.gauge_age_s(self.now) <= self.pool.health_check.trust_s, (
            "dispatched on a stale gauge"
        )
        assert substation.known_load <= substation.capacity, "dispatched over capacity"
        taken = len(substation.in_flight) + len(self.substations[substation.address].unconfirmed)
        assert taken <= substation.capacity, "dispatched to a point that may still be taken"
        for other in self.pool.waiting:
            came_first = self.arrivals[other.session_id] < self.arrivals[queued.session_id]
            overtaken = came_first and self.is_eligible_anywhere(other) and not self.is_left(other)
            assert not overtaken or queued is self.last_call, (
                f"{queued.session_id} overtook {other.session_id}"
            )
        self.attempts.append(Attempt(dispatch))

    def _revoked(self, dispatch: Dispatch) -> None:
        for attempt in self.attempts:
            if attempt.dispatch is dispatch:
                attempt.client_disconnected = attempt.revoked = True
        self._let_go(dispatch)

    def _let_go(self, dispatch: Dispatch) -> None:
        """Note that a point may still be taken though its vehicle is no longer in flight."""
        substation = self.substations[dispatch.substation.address]
        substation.unconfirmed.append(substation.polls)

    def is_eligible_anywhere(self, queued: QueuedSession) -> bool:
        """Tell whether nothing but a free point is wanting."""
        return (
            queued.not_before <= self.now <= queued.deadline
            and not queued.rejected_by
            and not queued.costs_budget
        )

    def is_left(self, queued: QueuedSession) -> bool:
        """Tell whether the pool left it in the queue on purpose, for a better point."""
        return any(left.queued is queued for left in self.pool.deferred)
