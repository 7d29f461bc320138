"""The simulated substation admits, answers and fails as a real one does."""

from random import Random

import pytest

from benchmarks.simulation.demand import TIME_SCALE, Arrival, lasting
from benchmarks.simulation.scenes import SubstationSpec
from benchmarks.simulation.substation import (
    REFUSED,
    RESET,
    Call,
    Response,
    SimulatedSubstation,
)
from benchmarks.simulation.timeline import Timeline, carry_at_once, delayed
from load_balancer.routing.demand import Demand
from load_balancer.routing.health import Reading
from load_balancer.routing.outcome import Outcome

CHARGED, ACCEPTED, FULL, DRAINING, REJECTED = (
    Response(outcome)
    for outcome in (
        Outcome.CHARGED,
        Outcome.ACCEPTED,
        Outcome.FULL,
        Outcome.DRAINING,
        Outcome.REJECTED,
    )
)


class Callers:
    """Calls a substation with two points, and notes what they hear."""

    def __init__(
        self, power_limit_kw: float | None = None, response: Outcome = Outcome.CHARGED
    ) -> None:
        self.timeline = Timeline()
        spec = SubstationSpec("substation1", 2, power_limit_kw=power_limit_kw, response=response)
        self.substation = SimulatedSubstation(
            spec, TIME_SCALE, self.timeline, lambda _substation: None
        )
        self.heard: list[tuple[float, str, Response]] = []

    def call(self, name: str, held_s: float = 10, truth: Demand | None = None) -> Call:
        def hear(response: Response) -> None:
            self.heard.append((self.timeline.now, name, response._replace(reading=None)))

        arrival = Arrival(self.timeline.now, lasting(held_s), 0.0, truth)
        call = Call(self.substation, carry_at_once, arrival, None, hear)
        call.send()
        return call

    def page(self) -> Reading | None:
        pages: list[Reading | None] = []
        self.substation.page_requested(pages.append)
        return pages[0] if pages else None

    def gauge(self) -> tuple[int, int, bool] | None:
        page = self.page()
        return (page.load, page.capacity, page.draining) if page else None


@pytest.fixture
def callers() -> Callers:
    return Callers()


def test_the_clock_runs_actions_in_the_order_of_their_times_then_of_their_planning() -> None:
    timeline, ran = Timeline(), []
    timeline.at(2, lambda: ran.append("late"))
    timeline.at(1, lambda: ran.append("early"))
    timeline.at(1, lambda: timeline.after(0, lambda: ran.append("third")))
    timeline.at(1, lambda: ran.append("second"))
    timeline.run(until=1)
    assert (timeline.now, ran) == (1, ["early", "second", "third"])
    timeline.run(until=5)
    assert (timeline.now, ran[-1]) == (5, "late")


def test_messages_overtake_each_other_within_their_limits() -> None:
    timeline = Timeline()
    carry = delayed(timeline, Random(1), 0.001, 0.002)
    arrived: list[tuple[int, float]] = []
    for number in range(50):
        carry(lambda number=number: arrived.append((number, timeline.now)))  # type: ignore[misc] # mypy infers no default
    timeline.run(until=1)
    assert [number for number, _ in arrived] != list(range(50))
    assert all(0.001 <= at <= 0.002 for _, at in arrived)


def test_it_takes_no_more_than_its_points(callers: Callers) -> None:
    for name in "abc":
        callers.call(name)
    assert callers.heard == [(0, "c", FULL)]
    assert callers.gauge() == (2, 2, False)
    callers.timeline.run(until=20)
    assert callers.heard[1:] == [(10, "a", CHARGED), (10, "b", CHARGED)]
    assert callers.gauge() == (0, 2, False)


def test_a_disconnect_frees_the_point(callers: Callers) -> None:
    callers.call("a").disconnect()
    assert callers.gauge() == (0, 2, False)
    callers.timeline.run(until=20)
    assert callers.heard == []


def test_a_killed_substation_resets_what_it_holds_and_refuses_what_comes(callers: Callers) -> None:
    callers.call("a")
    callers.substation.inject("is killed")
    callers.call("b")
    assert [answer for _, _, answer in callers.heard] == [RESET, REFUSED]
    assert callers.gauge() is None
    callers.substation.inject("starts")
    callers.timeline.run(until=20)
    assert len(callers.heard) == 2
    assert callers.gauge() == (0, 2, False)


def test_a_frozen_substation_that_wakes_sees_first_who_is_gone(callers: Callers) -> None:
    gone, staying = callers.call("gone"), callers.call("staying")
    callers.substation.inject("freezes")
    assert callers.gauge() is None
    callers.timeline.run(until=15)
    gone.disconnect()
    assert callers.heard == []
    callers.substation.inject("thaws")
    assert callers.heard == [(15, "staying", CHARGED)]
    assert not staying.gone
    assert callers.gauge() == (0, 2, False)


def test_a_draining_substation_finishes_what_it_has_then_exits(callers: Callers) -> None:
    callers.call("a")
    callers.substation.inject("drains")
    callers.call("b")
    assert callers.heard == [(0, "b", DRAINING)]
    assert callers.gauge() == (1, 2, True)
    callers.timeline.run(until=20)
    assert callers.heard[1:] == [(10, "a", CHARGED)]
    assert callers.gauge() is None


def test_one_that_responds_when_charging_begins_does_so_once() -> None:
    callers = Callers(response=Outcome.ACCEPTED)
    for name in "abc":
        callers.call(name)
    assert callers.heard == [(0, "a", ACCEPTED), (0, "b", ACCEPTED), (0, "c", FULL)]
    assert callers.gauge() == (2, 2, False)
    callers.timeline.run(until=20)
    callers.call("d")
    callers.substation.inject("is killed")
    assert callers.heard[3:] == [(20, "d", ACCEPTED)]


def test_one_that_rejects_a_vehicle_gives_it_no_point() -> None:
    callers = Callers(response=Outcome.REJECTED)
    callers.call("a")
    assert callers.heard == [(0, "a", REJECTED)]
    assert callers.gauge() == (0, 2, False)


def test_its_power_and_energy_are_the_real_substation_s() -> None:
    callers = Callers(power_limit_kw=60)
    callers.call("a")
    callers.call("b")
    page = callers.page()
    assert page is not None
    assert (page.point_power_kw, page.power_limit_kw, page.time_scale) == (50, 60, 360)
    assert page.committed_power_kw == 100
    assert page.power_kw == pytest.approx(60)
    assert page.remaining_energy_kwh == pytest.approx(100)
    # First come, first served, but for half of an equal share.
    callers.timeline.run(until=5)
    page = callers.page()
    assert page is not None
    assert page.remaining_energy_kwh == pytest.approx(100 - 5 * 60 * 0.1)
    callers.timeline.run(until=30)
    (first, *_), (second, *_) = callers.heard
    assert first == pytest.approx(50 / 4.5)
    assert second == pytest.approx(first + (50 - 1.5 * first) / 5)
    assert callers.substation.worst_over_limit_kw == 0


def test_its_limit_can_be_halved_and_come_back() -> None:
    callers = Callers(power_limit_kw=100)
    callers.call("a")
    callers.timeline.at(2, lambda: callers.substation.inject("has its limit halved"))
    callers.timeline.at(4, lambda: callers.call("b"))
    callers.timeline.at(6, lambda: callers.substation.inject("has its limit back"))
    callers.timeline.run(until=30)
    (first, *_), (second, *_) = callers.heard
    # From 4 s to 6 s they share 50 kW, of which the second has a quarter.
    assert first == pytest.approx(10.5)
    assert second == pytest.approx(6 + 10 - 0.5)
    assert callers.substation.worst_over_limit_kw == 0


def test_a_vehicle_may_take_less_than_it_reported(callers: Callers) -> None:
    callers.call("a", 10, truth=Demand(10))
    callers.timeline.run(until=1)
    page = callers.page()
    assert page is not None
    assert page.remaining_energy_kwh == pytest.approx(45)
    callers.timeline.run(until=3)
    ((at, name, answer),) = callers.heard
    assert (name, answer) == ("a", CHARGED)
    assert at == pytest.approx(2)
    page = callers.page()
    assert page is not None
    assert page.remaining_energy_kwh == 0
