"""Waiting beside a free point for a better one: who does, until when, and who passes."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from load_balancer import views
from load_balancer.routing.demand import Demand
from load_balancer.routing.matching import MAX_DEFERRED
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.routing.substation import QueuedSession
from tests.unit.load_balancer.routing.grid import Grid
from tests.unit.load_balancer.test_metrics import samples

FAST = Demand(15, 150)  # a second at a fast point, 14 s at a slow one
SLOW = Demand(15, 11)
UNREPORTED = Demand(15)


class TwoKinds(Grid):
    """A fast substation `a` with one point, a slow one `b` with plenty, at a time scale of 360."""

    def __init__(
        self,
        fast_points: int = 1,
        slow_points: int = 20,
        *,
        max_scanned: int = 32,
        budget: RetryBudget | None = None,
    ) -> None:
        super().__init__(
            fast_points,
            slow_points,
            policy="earliest-finish",
            max_scanned=max_scanned,
            budget=budget,
        )
        self.refresh()

    def refresh(self, foreign: int = 0) -> None:
        """Poll both.

        Their gauges show what this balancer has there, and foreign vehicles at `a`.
        """
        for name, point_power_kw, others in (("a", 150.0, foreign), ("b", 11.0, 0)):
            demands = [dispatch.queued.demand for dispatch in self.substation(name).in_flight]
            demands += [FAST] * others
            self.poll(
                name,
                len(demands),
                point_power_kw=point_power_kw,
                committed_power_kw=sum(one.cap_kw(point_power_kw) for one in demands),
                remaining_energy_kwh=sum(one.kwh for one in demands) / 2,
                time_scale=360.0,
            )

    def left(self) -> list[str]:
        return [left.queued.vehicle_id for left in self.pool.deferred]

    def wait_until(self, moment: float) -> None:
        """Let time pass, with polls on the way."""
        while self.now < moment:
            self.pass_time(min(0.5, moment - self.now))
            self.refresh()


def fast_point_taken(
    *, slow_points: int = 20, max_scanned: int = 32
) -> tuple[TwoKinds, QueuedSession]:
    grid = TwoKinds(slow_points=slow_points, max_scanned=max_scanned)
    first = grid.arrive("first", demand=FAST)
    assert grid.where(first) == "a"
    return grid, first


def test_a_vehicle_waits_beside_a_slow_point_for_a_fast_one_and_gets_it() -> None:
    grid, first = fast_point_taken()
    queued = grid.arrive("EV", demand=FAST)
    assert (grid.where(queued), grid.left()) == (None, ["EV"])
    grid.pass_time(0.9)
    grid.complete(first)
    assert (grid.where(queued), grid.left()) == ("a", [])
    decision = grid.decisions[-1]
    assert decision.deferred_for == "a"
    assert decision.waited_s == pytest.approx(0.9)
    assert queued.deferred_for is None  # when it waits again


def test_a_retry_that_is_deferred_takes_no_token_of_the_budget_until_it_is_dispatched() -> None:
    grid = TwoKinds(budget=RetryBudget(share=0, floor_per_s=0, burst=1))
    first, queued = grid.arrive("first", demand=FAST), grid.arrive("EV", demand=FAST)
    queued.costs_budget = True
    for _ in range(3):
        grid.pool.match(grid.now)
        assert grid.left() == ["EV"]
    grid.pass_time(0.9)
    grid.complete(first)
    assert grid.where(queued) == "a"


def test_the_next_best_is_told_beside_what_was_chosen() -> None:
    grid, _ = fast_point_taken()
    decision = grid.decisions[-1]
    assert decision.next_best is not None
    assert decision.next_best[0] == "b"


def test_each_vehicle_that_is_deferred_is_reported_of_once() -> None:
    grid, first = fast_point_taken()
    for name in ("EV-1", "EV-2"):
        grid.arrive(name, demand=FAST)
    for _ in range(3):
        grid.refresh()
    assert [left.queued.vehicle_id for left in grid.reported_deferred] == ["EV-1", "EV-2"]
    assert {left.choice.candidate.name for left in grid.reported_deferred} == {"a"}
    grid.complete(first)
    assert len(grid.reported_deferred) == 2


def test_each_that_is_deferred_counts_on_one_end_more_than_the_one_before_it() -> None:
    grid, _ = fast_point_taken()
    for name in ("EV-1", "EV-2", "EV-3"):
        grid.arrive(name, demand=FAST)
    starts_s = [
        left.choice.prediction.start_s for left in grid.reported_deferred if left.choice.prediction
    ]
    # Each charges for a second.
    assert [one - starts_s[0] for one in starts_s] == pytest.approx([0, 1, 2])


def test_each_choice_is_made_with_the_number_of_others_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, _ = fast_point_taken()
    choose = Mock(wraps=grid.pool.policy.choose)
    monkeypatch.setattr(grid.pool.policy, "choose", choose)
    for name in ("EV-1", "EV-2"):
        grid.arrive(name, demand=FAST)
    assert [request.waiting for (_, request, _), _ in choose.call_args_list] == [0, 1, 1]


def test_the_substations_document_lists_who_is_deferred() -> None:
    grid, _ = fast_point_taken()
    grid.arrive("EV", demand=FAST)
    document = views.substations(grid.pool, None)
    (left,) = document["left_in_line"]
    assert (left["vehicle_id"], left["substation"]) == ("EV", "a")
    assert 0 < left["predicted_start_s"] < left["predicted_finish_s"] < 5
    fast, slow = document["substations"]
    assert (fast["point_power_kw"], fast["committed_power_kw"]) == (150, 150)
    assert (slow["point_power_kw"], slow["remaining_energy_kwh"]) == (11, 0)


def test_the_substations_document_tells_when_the_first_and_the_last_are_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, _ = fast_point_taken()
    clock = SimpleNamespace(monotonic=lambda: grid.now)
    monkeypatch.setattr("load_balancer.views.time", clock)
    for kwh in (1.1, 2.2):
        grid.arrive(demand=Demand(kwh, 11))
    grid.pass_time(0.4)

    fast, slow = views.substations(grid.pool, None)["substations"]

    assert fast["next_finish_s"] == fast["last_finish_s"] == pytest.approx(0.6)
    assert slow["next_finish_s"] == pytest.approx(0.6)  # 6 minutes at a time scale of 360
    assert slow["last_finish_s"] == pytest.approx(1.6)
    grid.pass_time(1)
    (fast, slow) = views.substations(grid.pool, None)["substations"]
    assert (fast["next_finish_s"], slow["next_finish_s"]) == (0, 0)  # overdue
    alike = views.substations(Grid(4).pool, None)["substations"]
    assert (alike[0]["next_finish_s"], alike[0]["last_finish_s"]) == (None, None)


def test_the_metrics_tell_when_the_first_and_the_last_are_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, _ = fast_point_taken()
    monkeypatch.setattr("load_balancer.metrics.time", SimpleNamespace(monotonic=lambda: grid.now))
    for kwh in (1.1, 2.2):
        grid.arrive(demand=Demand(kwh, 11))
    grid.pass_time(0.4)

    shown = {(name, substation): value for name, substation, value in samples(grid)}

    assert shown["balancer_substation_next_finish_seconds", "b"] == pytest.approx(0.6)
    assert shown["balancer_substation_last_finish_seconds", "b"] == pytest.approx(1.6)
    nobody = {name for name, _, _ in samples(Grid(4))}
    assert not any(name.endswith("finish_seconds") for name in nobody)


def test_those_behind_pass_one_that_waits_and_do_not_take_its_point() -> None:
    grid, first = fast_point_taken()
    waiting = grid.arrive("waiting", demand=FAST)
    slow = grid.arrive("slow", demand=SLOW)
    assert (grid.where(waiting), grid.where(slow)) == (None, "b")
    behind = grid.arrive("behind", demand=FAST)
    grid.complete(first)
    assert (grid.where(waiting), grid.where(behind)) == ("a", None)


def test_the_more_wait_for_a_point_the_sooner_the_next_takes_a_slow_one() -> None:
    grid, _ = fast_point_taken()
    middling = Demand(15, 60)  # 2.5 s at a fast point
    queued_sessions = [grid.arrive(f"EV-{number}", demand=middling) for number in range(20)]
    assert 0 < len(grid.left()) < MAX_DEFERRED
    assert any(grid.where(queued) == "b" for queued in queued_sessions)


def test_a_vehicle_that_did_not_report_its_maximum_is_never_deferred() -> None:
    grid, _ = fast_point_taken()
    assert grid.where(grid.arrive(demand=UNREPORTED)) == "b"


def test_where_no_point_is_free_nobody_is_left_on_purpose() -> None:
    grid, _ = fast_point_taken(slow_points=1)
    grid.arrive(demand=SLOW)
    assert grid.where(grid.arrive(demand=FAST)) is None
    assert grid.left() == []


def test_a_vehicle_that_may_not_wait_takes_what_is_free() -> None:
    grid, _ = fast_point_taken()
    assert grid.where(grid.arrive(demand=FAST, wait_s=0)) == "b"


def test_it_takes_what_is_free_long_before_its_deadline_where_the_fast_point_stays_taken() -> None:
    grid, _ = fast_point_taken()
    queued = grid.arrive(demand=FAST, wait_s=4)
    assert grid.where(queued) is None
    grid.wait_until(queued.deadline - 0.3)
    assert grid.where(queued) == "b"


def most_deferred(slow_points: int = 20) -> TwoKinds:
    """As many wait for one of 40 fast points as may."""
    grid = TwoKinds(fast_points=40, slow_points=slow_points)
    for _ in range(40):
        grid.arrive(demand=FAST)
    names = [f"waiting-{number}" for number in range(MAX_DEFERRED)]
    for name in names:
        grid.arrive(name, demand=FAST)
    assert grid.left() == names
    return grid


@pytest.mark.parametrize("demand", [FAST, SLOW, UNREPORTED])
def test_those_behind_the_most_that_are_deferred_take_what_is_free(demand: Demand) -> None:
    grid = most_deferred(slow_points=3)
    behind = [grid.arrive(f"behind-{number}", demand=demand) for number in range(4)]
    assert [grid.where(one) for one in behind] == ["b", "b", "b", None]


def test_however_many_wait_a_few_are_looked_at_for_each_that_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = most_deferred(slow_points=1)
    goes = grid.arrive("goes", demand=FAST)
    behind = [grid.arrive(f"behind-{number}", demand=FAST) for number in range(1000)]
    choose = Mock(wraps=grid.pool.policy.choose)
    monkeypatch.setattr(grid.pool.policy, "choose", choose)
    grid.refresh()
    assert not choose.called  # no point is free
    grid.complete(goes)
    assert grid.where(behind[0]) == "b"
    assert choose.call_count == MAX_DEFERRED + 1


@pytest.mark.parametrize("max_scanned", [32, 0])
def test_at_its_last_call_one_that_is_deferred_takes_what_is_free(max_scanned: int) -> None:
    grid, _ = fast_point_taken(max_scanned=max_scanned)
    queued = grid.arrive(demand=FAST)
    assert grid.where(queued) is None
    grid.pool.last_call(queued, grid.now)
    assert grid.where(queued) == "b"
    predicted = grid.decisions[-1].prediction
    assert predicted is not None
    assert predicted.charging_s == pytest.approx(15 / 11 * 10)


def test_a_substation_that_says_that_it_drains_has_nothing_left_of_the_vehicle() -> None:
    grid, first = fast_point_taken()
    grid.pass_time(0.1)
    grid.find_draining(first)
    assert grid.where(first) == "b"
    energy = grid.substation("a").energy
    assert energy is not None
    assert energy.supply(0, grid.now).committed_kw == 0


def test_the_last_call_finds_nothing_where_nothing_is_free() -> None:
    grid, _ = fast_point_taken(slow_points=1)
    grid.arrive(demand=SLOW)
    queued = grid.arrive(demand=FAST, wait_s=0)
    grid.pool.last_call(queued, grid.now)
    assert grid.where(queued) is None


def test_the_last_call_finds_nothing_for_one_that_the_free_substation_rejected() -> None:
    grid, first = fast_point_taken()
    queued = grid.arrive(demand=FAST)
    queued.rejected_by.add(grid.substation("b").address)
    grid.pool.last_call(queued, grid.now)
    assert grid.where(queued) is None
    grid.complete(first)
    assert grid.where(queued) == "a"


def test_a_substation_that_rejected_a_vehicle_is_not_waited_for() -> None:
    grid, first = fast_point_taken()
    queued = grid.arrive(demand=FAST)
    grid.complete(first)
    grid.reject(queued)
    assert grid.where(queued) == "b"


def test_a_substation_that_is_lost_is_not_waited_for() -> None:
    grid, _ = fast_point_taken()
    queued = grid.arrive(demand=FAST)
    assert grid.where(queued) is None
    grid.poll_missed("a", times=2)
    assert grid.where(queued) == "b"


def test_one_that_disconnects_is_no_longer_listed() -> None:
    grid, _ = fast_point_taken()
    grid.disconnect(grid.arrive("EV", demand=FAST))
    assert grid.left() == []


def test_those_deferred_are_looked_at_once_an_interval_however_many_substations_are_polled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, first = fast_point_taken()
    queued = grid.arrive("EV", demand=FAST)
    match = Mock(wraps=grid.pool.match)
    monkeypatch.setattr(grid.pool, "match", match)
    for _ in range(20):
        grid.pass_time(0.05)
        grid.refresh()
    assert 1 <= match.call_count <= 2  # of 40 polls
    assert grid.where(queued) is None
    grid.complete(first)
    assert grid.where(queued) == "a"


def test_a_substation_that_a_poll_finds_open_is_looked_at_at_once() -> None:
    grid = TwoKinds()
    grid.refresh(foreign=1)
    queued = grid.arrive("EV", demand=FAST)
    grid.pass_time(0.01)
    grid.refresh()
    assert grid.where(queued) == "a"
