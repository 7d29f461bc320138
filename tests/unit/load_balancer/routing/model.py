"""Model substations and callers around a real pool, for tests that try any order of events.

Every message is a thing of its own that arrives when the test says so: a request on its way to a
substation, the answer on its way back, a disconnect, a poll and its page.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from random import Random

from load_balancer.routing.demand import Demand
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.pool import LineFull, Pool
from load_balancer.routing.queue import Decision, Dispatch, Ticket
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import Health, Patience, Reading, Substation

SHARE, FLOOR_PER_S, BURST = 0.2, 0.5, 3.0
QUEUE_LIMIT = 6


class UpstreamResponse(Enum):
    CHARGED = auto()
    ACCEPTED = auto()
    FULL = auto()
    DRAINING = auto()
    REJECTED = auto()
    BROKEN = auto()


@dataclass(eq=False)
class Visit:
    """A request to charge: first on its way, then at the substation, then answered."""

    dispatch: Dispatch
    arrived: bool = False
    answer: UpstreamResponse | None = None
    client_disconnected: bool = False
    taken_back: bool = False


@dataclass(eq=False)
class ModelSubstation:
    address: str
    capacity: int
    point_power_kw: float | None = None  # None: it publishes load and capacity alone
    power_limit_kw: float | None = None
    alive: bool = True
    draining: bool = False
    strangers: int = 0  # and vehicles that charge on after a 202, or whose disconnect is on its way
    charging: list[Visit] = field(default_factory=list)
    page: Reading | None = None  # of the poll that is under way
    polled: Substation | None = None  # the pool's substation that is being polled
    polls: int = 0  # begun so far
    # For each vehicle that was let go while its point may still be taken: polls begun before that.
    unconfirmed: list[int] = field(default_factory=list)

    @property
    def load(self) -> int:
        return len(self.charging) + self.strangers

    def write_page(self) -> Reading:
        page = Reading(self.load, self.capacity, self.draining)
        if self.point_power_kw is None:
            return page
        demands = [visit.dispatch.ticket.demand for visit in self.charging]
        demands += [Demand(10.0)] * self.strangers
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
            patience=Patience(),
            budget=RetryBudget(share=SHARE, floor_per_s=FLOOR_PER_S, burst=BURST),
            balancers=balancers,
            queue_limit=QUEUE_LIMIT,
            on_decision=self._decided,
        )
        self.substations: dict[str, ModelSubstation] = {}
        self.visits: list[Visit] = []  # neither answered nor given up
        self.tickets: list[Ticket] = []  # neither answered nor given up
        self.ended: Counter[str] = Counter()
        self.left: set[str] = set()
        self.started = self.first_attempts = self.paid_attempts = 0
        self.arrivals: dict[str, int] = {}  # by session, which one it was
        self.last_call: Ticket | None = None

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
        ticket = Ticket(
            f"session-{number}",
            f"EV-{number}",
            arrived=self.now,
            deadline=self.now + wait_s,
            demand=demand,
            on_dispatch=self._dispatched,
            on_taken_back=self._taken_back,
        )
        try:
            self.pool.arrive(ticket, self.now)
        except LineFull:
            assert len(self.pool.waiting) >= QUEUE_LIMIT
            self._end(ticket, "queue full")
        else:
            self.tickets.append(ticket)

    def disconnect(self, ticket: Ticket) -> None:
        self._end(ticket, "disconnected")

    def give_up_late_ones(self) -> None:
        """Do what the dispatcher does: refuse who has waited for as long as it may."""
        for ticket in list(self.tickets):
            if ticket.dispatch is None and self.now > ticket.deadline:
                self.last_call = ticket
                self.pool.last_call(ticket, self.now)
                self.last_call = None
                if ticket.dispatch is None:
                    free = [
                        one for one in self.pool.substations.values() if not one.why_not(self.now)
                    ]
                    barred = (
                        ticket.rejected_by or ticket.costs_budget or (ticket.not_before > self.now)
                    )
                    assert barred or not free, f"{ticket.session_id} is refused beside a free point"
                    self._end(ticket, "deadline")

    def _end(self, ticket: Ticket, how: str) -> None:
        assert ticket.session_id not in self.left, f"{ticket.session_id} ends a second time"
        for visit in self.visits:
            if visit.dispatch is ticket.dispatch:
                visit.client_disconnected = True
                self._let_go(visit.dispatch)
        self.pool.leave(ticket, self.now)
        self.left.add(ticket.session_id)
        self.ended[how] += 1
        if ticket in self.tickets:
            self.tickets.remove(ticket)

    # Requests on their way to the substations, and what comes back

    def reach_substation(self, visit: Visit) -> None:
        substation = self.substations[visit.dispatch.substation.address]
        visit.arrived = True
        if visit.client_disconnected:
            self.visits.remove(visit)
        elif not substation.alive:
            visit.answer = UpstreamResponse.BROKEN
        elif substation.draining:
            visit.answer = UpstreamResponse.DRAINING
        elif substation.load >= substation.capacity:
            visit.answer = UpstreamResponse.FULL
        else:
            substation.charging.append(visit)

    def substation_answers(self, visit: Visit, answer: UpstreamResponse) -> None:
        substation = self.substations[visit.dispatch.substation.address]
        substation.charging.remove(visit)
        if answer is UpstreamResponse.ACCEPTED:
            substation.strangers += 1
        visit.answer = answer

    def substation_sees_disconnect(self, visit: Visit) -> None:
        self.substations[visit.dispatch.substation.address].charging.remove(visit)
        self.visits.remove(visit)

    def hear(self, visit: Visit, *, late: bool = False) -> None:
        """Have the answer arrive at the balancer.

        `late`: also where the substation was lost meanwhile, as when both happen in one turn of the
            loop.
        """
        self.visits.remove(visit)
        dispatch, ticket = visit.dispatch, visit.dispatch.ticket
        comes_late = visit.taken_back and late and ticket.session_id not in self.left
        if visit.client_disconnected and not comes_late:
            return
        if dispatch.open and visit.answer in (UpstreamResponse.ACCEPTED, UpstreamResponse.BROKEN):
            self._let_go(dispatch)
        match visit.answer:
            case UpstreamResponse.CHARGED:
                self.pool.completed(dispatch, self.now)
                self._end(ticket, "charged late" if comes_late else "charged")
            case UpstreamResponse.ACCEPTED:
                self.pool.accepted(dispatch, self.now)
                self._end(ticket, "accepted late" if comes_late else "accepted")
            case _:
                self._goes_elsewhere(dispatch, visit.answer)

    def _goes_elsewhere(self, dispatch: Dispatch, answer: UpstreamResponse | None) -> None:
        ticket = dispatch.ticket
        match answer:
            case UpstreamResponse.FULL:
                self.pool.found_full(dispatch, self.now)
            case UpstreamResponse.DRAINING:
                self.pool.found_draining(dispatch, self.now)
            case UpstreamResponse.REJECTED:
                self.pool.rejected(dispatch, self.now)
                if ticket.dispatch is None and self.pool.is_rejected_everywhere(ticket):
                    self._end(ticket, "rejected")
            case UpstreamResponse.BROKEN:
                self.pool.failed(dispatch, "reset", "the connection was reset", self.now)
            case _:
                raise AssertionError(f"{answer} sends nobody elsewhere")

    def kill(self, substation: ModelSubstation) -> None:
        substation.alive = False
        substation.strangers = 0
        for visit in substation.charging:
            visit.answer = UpstreamResponse.BROKEN
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
        ticket, substation = dispatch.ticket, dispatch.substation
        if ticket.attempts == 1:
            self.first_attempts += 1
        self.paid_attempts += ticket.costs_budget
        assert ticket.session_id not in self.left, "dispatched after it left"
        in_time = self.now <= ticket.deadline
        assert in_time or ticket is self.last_call, "dispatched after its deadline"
        assert self.now >= ticket.not_before, "dispatched while it pauses"
        assert substation.address not in ticket.rejected_by, (
            "dispatched to a substation that rejected it"
        )
        assert substation.health is Health.UP, (
            f"dispatched to a substation that is {substation.health}"
        )
        assert not substation.leaving, "dispatched to a substation that vanished"
        assert substation.gauge_age_s(self.now) <= self.pool.trust_s, "dispatched on a stale gauge"
        assert substation.known_load <= substation.capacity, "dispatched over capacity"
        taken = len(substation.in_flight) + len(self.substations[substation.address].unconfirmed)
        assert taken <= substation.capacity, "dispatched to a point that may still be taken"
        for other in self.pool.waiting:
            came_first = self.arrivals[other.session_id] < self.arrivals[ticket.session_id]
            overtaken = came_first and self.is_eligible_anywhere(other) and not self.is_left(other)
            assert not overtaken or ticket is self.last_call, (
                f"{ticket.session_id} overtook {other.session_id}"
            )
        self.visits.append(Visit(dispatch))

    def _taken_back(self, dispatch: Dispatch) -> None:
        for visit in self.visits:
            if visit.dispatch is dispatch:
                visit.client_disconnected = visit.taken_back = True
        self._let_go(dispatch)

    def _let_go(self, dispatch: Dispatch) -> None:
        """Note that a point may still be taken though its vehicle is no longer in flight."""
        substation = self.substations[dispatch.substation.address]
        substation.unconfirmed.append(substation.polls)

    def is_eligible_anywhere(self, ticket: Ticket) -> bool:
        """Tell whether nothing but a free point is wanting."""
        return (
            ticket.not_before <= self.now <= ticket.deadline
            and not ticket.rejected_by
            and not ticket.costs_budget
        )

    def is_left(self, ticket: Ticket) -> bool:
        """Tell whether the pool left it in line on purpose, for a better point."""
        return any(left.ticket is ticket for left in self.pool.left_in_line)
