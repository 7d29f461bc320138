"""Whatever happens in whatever order, the pool keeps its word."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Health
from load_balancer.routing.matching import MAX_DEFERRED
from load_balancer.routing.outcome import Outcome
from load_balancer.routing.policies import POLICIES
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import QueuedSession
from tests.support.examples import examples
from tests.unit.load_balancer.routing.compared import ComparedPool
from tests.unit.load_balancer.routing.model import (
    BURST,
    FLOOR_PER_S,
    SHARE,
    Attempt,
    Model,
    ModelSubstation,
)

EXAMPLES = examples(250, steps=60, unchecked=[HealthCheck.filter_too_much])

INDEX = st.integers(min_value=0, max_value=20)
HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["arrival", "request", "charged", "answer", "disconnect", "disconnect seen"]
        ),
        INDEX,
    ),
    max_size=6,
)

# Of a point, and the limit. Many substations publish neither, as before there were gauges of them.
POWERS_KW = [(None, None), (11.0, 22.0), (50.0, None), (150.0, 150.0)]
DEMANDS = (
    Demand(10.0),
    Demand(10.0, 11.0),
    Demand(40.0, 150.0),
    Demand(20.0, 50.0, 60.0, 0.6),
)

T = TypeVar("T")


def _pick(index: int, choices: Sequence[T]) -> T:
    return choices[index % len(choices)]


class AnyGrid(RuleBasedStateMachine):
    """Three substations at most, a few points each, and polls that race with all that happens."""

    policies: ClassVar[list[str]] = list(POLICIES)
    most_balancers: ClassVar[int] = 3
    powers_kw: ClassVar[list[tuple[float | None, float | None]]] = POWERS_KW
    capacities: ClassVar[st.SearchStrategy[int]] = st.integers(0, 4)
    callers_disconnect: ClassVar[bool] = True
    answer: ClassVar[Outcome] = Outcome.CHARGED  # of a substation that has charged a vehicle
    pool: ClassVar[type[Pool]] = Pool
    began: float

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.model = Model(
            data.draw(st.sampled_from(self.policies)),
            data.draw(st.integers(1, self.most_balancers)),
            self.pool,
        )
        self.began = self.model.now
        for name, capacity in zip(
            "abc", data.draw(st.lists(self.capacities, min_size=1, max_size=3)), strict=False
        ):
            self.model.add_substation(name, capacity, data.draw(st.sampled_from(self.powers_kw)))
        self.model.know(list(self.model.substations))
        for substation in self.model.substations.values():
            self.model.poll(substation)

    def _substation(self, index: int) -> ModelSubstation:
        substations = list(self.model.substations.values())
        return substations[index % len(substations)]

    def _happens(self, what: str, index: int) -> None:
        """Let one of the things happen that are happening all the time."""
        model = self.model
        if what == "arrival":
            model.arrive(60.0, _pick(index, DEMANDS))
        elif what == "request" and (on_their_way := self._on_their_way()):
            model.reach_substation(_pick(index, on_their_way))
        elif what == "charged" and (charging := self._charging()):
            model.substation_answers(_pick(index, charging), self.answer)
        elif what == "answer" and (answered := self._answered()):
            model.deliver(_pick(index, answered))
        elif what == "disconnect" and model.queued_sessions and self.callers_disconnect:
            model.disconnect(_pick(index, model.queued_sessions))
        elif what == "disconnect seen" and (gone := self._charging(gone=True)):
            model.substation_sees_disconnect(_pick(index, gone))

    def _on_their_way(self) -> list[Attempt]:
        return [attempt for attempt in self.model.attempts if not attempt.arrived]

    def _charging(self, *, gone: bool = False) -> list[Attempt]:
        return [
            attempt
            for substation in self.model.substations.values()
            for attempt in substation.charging
            if attempt.client_disconnected is gone
        ]

    def _answered(self) -> list[Attempt]:
        return [attempt for attempt in self.model.attempts if attempt.answer is not None]

    # Vehicles, requests, answers

    @rule(
        wait_s=st.sampled_from([0.0, 0.3, 5.0, 60.0]),
        vehicles=st.integers(1, 4),
        demand=st.sampled_from(DEMANDS),
    )
    def vehicles_arrive(self, wait_s: float, vehicles: int, demand: Demand) -> None:
        for _ in range(vehicles):
            self.model.arrive(wait_s, demand)

    @rule(happenings=HAPPENINGS)
    def this_and_that_happens(self, happenings: list[tuple[str, int]]) -> None:
        for what, index in happenings:
            self._happens(what, index)

    @rule()
    def all_requests_arrive(self) -> None:
        for attempt in self._on_their_way():
            self.model.reach_substation(attempt)

    @rule(late=st.booleans())
    def all_responses_are_delivered(self, late: bool) -> None:
        for attempt in self._answered():
            self.model.deliver(attempt, late=late)

    @rule(seconds=st.sampled_from([0.001, 0.1, 0.5, 1.6, 8.0]), polled=st.booleans())
    def time_passes(self, seconds: float, polled: bool) -> None:
        self.model.now += seconds
        self.model.give_up_late_ones()
        if polled:
            self.all_substations_are_polled()

    # Polls

    @rule()
    def all_substations_are_polled(self) -> None:
        for substation in self.model.substations.values():
            if substation.polled is None:
                self.model.poll(substation)

    @rule(index=INDEX)
    def a_poll_begins(self, index: int) -> None:
        substation = self._substation(index)
        if substation.polled is None and substation.address in self.model.pool.substations:
            self.model.poll_begins(substation)

    @rule(index=INDEX)
    def a_page_is_written(self, index: int) -> None:
        self.model.page_is_written(self._substation(index))

    @rule(index=INDEX)
    def a_page_is_read(self, index: int) -> None:
        self.model.page_is_read(self._substation(index))

    @rule(index=INDEX, before=HAPPENINGS, after=HAPPENINGS)
    def much_happens_during_a_poll(
        self, index: int, before: list[tuple[str, int]], after: list[tuple[str, int]]
    ) -> None:
        self.a_poll_begins(index)
        self.model.now += 0.001
        self.this_and_that_happens(before)
        self.a_page_is_written(index)
        self.this_and_that_happens(after)
        self.model.now += 0.001
        self.a_page_is_read(index)

    # What must always hold

    @invariant()
    def every_vehicle_is_in_one_place(self) -> None:
        pool = self.model.pool
        waiting = list(pool.waiting)
        at_substations = [
            dispatch
            for substation in pool.substations.values()
            for dispatch in substation.in_flight
        ]
        assert all(dispatch.open for dispatch in at_substations)
        assert all(dispatch.queued.dispatch is dispatch for dispatch in at_substations)
        assert all(queued.dispatch is None for queued in waiting)
        placed = [*waiting, *(dispatch.queued for dispatch in at_substations)]
        assert sorted(map(id, placed)) == sorted(map(id, self.model.queued_sessions))

    @invariant()
    def the_line_is_in_the_order_of_arrival(self) -> None:
        order = [self.model.arrivals[queued.session_id] for queued in self.model.pool.waiting]
        assert order == sorted(order)

    @invariant()
    def counters_add_up(self) -> None:
        pool, ended = self.model.pool, self.model.ended
        outcomes: dict[str, int] = dict.fromkeys(("charged", "accepted", "aborted"), 0)
        for (_, outcome), count in pool.dispatches.items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
        still_open = sum(len(substation.in_flight) for substation in pool.substations.values())
        assert self.model.started == sum(outcomes.values()) + still_open
        assert outcomes["charged"] == ended["charged"]
        assert outcomes["accepted"] == ended["accepted"]
        assert outcomes["aborted"] <= (
            ended["disconnected"] + ended["charged late"] + ended["accepted late"]
        )
        assert sum(pool.failovers.values()) == sum(
            outcomes.get(one, 0) for one in ("failed", "taken_back", "rejected")
        )

    @invariant()
    def repeats_stay_within_their_budget(self) -> None:
        model = self.model
        earned = SHARE * model.first_attempts + FLOOR_PER_S * (model.now - self.began)
        assert model.paid_attempts <= BURST + earned

    @invariant()
    def no_vehicle_waits_beside_a_point_that_is_known_to_be_free(self) -> None:
        model = self.model
        free = [
            one
            for one in model.pool.substations.values()
            if one.ineligible_reason(model.now) is None
        ]
        left = model.pool.deferred
        stuck = [
            one
            for one in model.pool.waiting
            if model.is_eligible_anywhere(one) and not model.is_left(one)
        ]
        stuck = stuck if len(left) < MAX_DEFERRED else []
        assert not (free and stuck), f"{stuck[0].session_id} waits beside {free[0].name}"

    @invariant()
    def who_is_deferred_has_reported_its_power_and_waits_for_a_substation_that_is_well(
        self,
    ) -> None:
        pool = self.model.pool
        assert len(pool.deferred) <= MAX_DEFERRED
        assert pool.policy.predicts or not pool.deferred
        for queued, choice in pool.deferred:
            assert queued.demand.max_power_kw is not None
            assert choice.prediction is not None
            assert queued.deferred_for == choice.candidate.name
            assert choice.candidate.address not in queued.rejected_by

    @invariant()
    def no_substation_is_over_its_capacity(self) -> None:
        for substation in self.model.substations.values():
            assert substation.load <= substation.capacity

    def teardown(self) -> None:
        """Let everybody leave: nothing is left behind."""
        if hasattr(self, "model"):
            queued_sessions: list[QueuedSession] = list(self.model.queued_sessions)
            for queued in queued_sessions:
                self.model.disconnect(queued)
            self.every_vehicle_is_in_one_place()
            self.counters_add_up()


class TroubledGrid(AnyGrid):
    """With foreign vehicles, failures, 202 answers, drains and changes of names."""

    @precondition(lambda self: self._charging())
    @rule(
        index=INDEX,
        answer=st.sampled_from([Outcome.ACCEPTED, Outcome.REJECTED, Outcome.FAILED]),
        heard=st.booleans(),
    )
    def a_substation_answers_otherwise(self, index: int, answer: Outcome, heard: bool) -> None:
        attempt = _pick(index, self._charging())
        self.model.substation_answers(attempt, answer)
        if heard:
            self.model.deliver(attempt)

    @rule(times=st.integers(1, 6))
    def all_substations_break_all_vehicles(self, times: int) -> None:
        for _ in range(times):
            self.all_requests_arrive()
            for attempt in self._charging():
                self.model.substation_answers(attempt, Outcome.FAILED)
            self.all_responses_are_delivered(late=False)
            self.time_passes(0.5, polled=True)

    @precondition(lambda self: self._charging())
    @rule(index=INDEX)
    def all_substations_reject_a_vehicle(self, index: int) -> None:
        queued = _pick(index, self._charging()).dispatch.queued
        for _ in self.model.substations:
            for attempt in self._charging():
                if attempt.dispatch.queued is queued:
                    self.model.substation_answers(attempt, Outcome.REJECTED)
                    self.model.deliver(attempt)
            self.all_requests_arrive()

    @rule(index=INDEX, foreign=st.integers(1, 4))
    def foreign_come(self, index: int, foreign: int) -> None:
        substation = self._substation(index)
        if substation.alive:
            substation.foreign += min(foreign, substation.capacity - substation.load)

    @rule(index=INDEX)
    def foreign_go(self, index: int) -> None:
        self._substation(index).foreign = 0

    @rule(index=INDEX, noticed=st.booleans(), late=st.booleans())
    def a_substation_dies(self, index: int, noticed: bool, late: bool) -> None:
        substation = self._substation(index)
        self.model.kill(substation)
        if noticed:
            self.polls_are_missed(index, 2)
            self.all_responses_are_delivered(late=late)

    @rule(index=INDEX, late=st.booleans())
    def a_substation_freezes_and_wakes(self, index: int, late: bool) -> None:
        self.polls_are_missed(index, 2)
        for attempt in self._substation(index).charging[:]:
            self.model.substation_answers(attempt, Outcome.CHARGED)
        self.all_responses_are_delivered(late=late)

    @rule(index=INDEX)
    def a_substation_starts(self, index: int) -> None:
        substation = self._substation(index)
        substation.alive, substation.draining = True, False
        self.all_substations_are_polled()

    @rule(index=INDEX)
    def a_substation_drains(self, index: int) -> None:
        self._substation(index).draining = True

    @rule(index=INDEX, times=st.integers(1, 3))
    def polls_are_missed(self, index: int, times: int) -> None:
        substation = self._substation(index)
        known = self.model.pool.substations.get(substation.address)
        for _ in range(times):
            self.model.poll_is_missed(substation)
        if known is not None and times > 1:
            assert known.health is Health.DOWN
            assert not known.in_flight

    @rule(index=INDEX)
    def a_page_is_garbled(self, index: int) -> None:
        substation = self._substation(index)
        known = self.model.pool.substations.get(substation.address)
        if known is not None:
            self.model.poll_is_over(substation)
            held = list(known.in_flight)
            self.model.pool.poll_unreadable(known, "garbled")
            assert known.health is Health.DOWN
            assert list(known.in_flight) == held

    @rule(listed=st.lists(st.booleans(), min_size=3, max_size=3))
    def names_change(self, listed: list[bool]) -> None:
        self.model.know(
            [
                address
                for address, is_in in zip(self.model.substations, listed, strict=False)
                if is_in
            ]
        )
        for address, substation in self.model.substations.items():
            if self.model.pool.substations.get(address) is not substation.polled:
                self.model.poll_is_over(substation)


class LoneBalancer(AnyGrid):
    """A balancer that owns all traffic, with nobody disconnecting: it sends no vehicle too many."""

    most_balancers = 1
    callers_disconnect = False

    @invariant()
    def no_substation_ever_answers_full(self) -> None:
        assert all(attempt.answer is not Outcome.FULL for attempt in self.model.attempts)


class ExactBalancer(LoneBalancer):
    """The same where substations answer once a vehicle is charged: it is never wrong."""

    @invariant()
    def the_estimate_is_exact(self) -> None:
        for substation in self.model.pool.substations.values():
            assert substation.foreign == 0
            assert substation.load == len(substation.in_flight)


class AcceptingGrid(LoneBalancer):
    """Substations answer when charging begins."""

    answer = Outcome.ACCEPTED

    @rule(index=INDEX)
    def an_accepted_vehicle_is_charged(self, index: int) -> None:
        substation = self._substation(index)
        substation.foreign = max(0, substation.foreign - 1)

    def teardown(self) -> None:
        """All who may still wait are taken in the end, if there is a point."""
        substations = self.model.substations.values()
        if any(one.capacity for one in substations):
            for _ in range(100):
                self.time_passes(0.01, polled=False)
                self.all_requests_arrive()
                for attempt in self._charging():
                    self.model.substation_answers(attempt, self.answer)
                self.all_responses_are_delivered(late=False)
                for one in substations:
                    one.foreign = 0
                    self.model.poll(one)
            assert not self.model.pool.waiting
        super().teardown()


class UnlikeGrid(TroubledGrid):
    """Substations between which it is worth waiting: few fast points, and slow ones."""

    policies: ClassVar[list[str]] = ["earliest-finish"]
    powers_kw: ClassVar[list[tuple[float | None, float | None]]] = [(11.0, None), (150.0, 200.0)]
    capacities: ClassVar[st.SearchStrategy[int]] = st.integers(1, 3)


class IndexedGrid(TroubledGrid):
    """The same with the index that is there for many substations.

    Whose every choice is compared.
    """

    pool = ComparedPool


class UnlikeIndexedGrid(UnlikeGrid):
    pool = ComparedPool


def test_any_grid_holds_its_invariants() -> None:
    run_state_machine_as_test(TroubledGrid, settings=EXAMPLES)


def test_a_lone_balancer_that_owns_all_traffic_is_exact() -> None:
    run_state_machine_as_test(ExactBalancer, settings=EXAMPLES)


def test_a_substation_that_answers_when_charging_begins_is_never_given_one_too_many() -> None:
    run_state_machine_as_test(AcceptingGrid, settings=EXAMPLES)


def test_a_grid_of_fast_and_slow_substations_holds_its_invariants() -> None:
    run_state_machine_as_test(UnlikeGrid, settings=EXAMPLES)


def test_any_grid_holds_its_invariants_with_an_index() -> None:
    run_state_machine_as_test(IndexedGrid, settings=EXAMPLES)


def test_a_grid_of_fast_and_slow_substations_holds_its_invariants_with_an_index() -> None:
    run_state_machine_as_test(UnlikeIndexedGrid, settings=EXAMPLES)
