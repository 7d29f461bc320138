from dataclasses import replace

import pytest

from benchmarks.comparison.figures import as_seen, figures, occupancies
from benchmarks.comparison.scenes import Scene, held_s, scenes
from benchmarks.comparison.testbed import Run
from benchmarks.comparison.traffic import TrafficRecord
from benchmarks.simulation.scenes import Event, substations_of
from load_tester.vehicle import Charge, Outcome, Vehicle
from local_stack.session_logs import Attempt

BEGAN = 1000.0  # of the run, seconds of the epoch
SCENE = Scene(
    "test",
    "Two substations of one point each.",
    substations_of(1, 1),
    tuple(Vehicle(number, 0.0, 5.0) for number in (1, 2, 3)),
    ends_at=2.0,
)


def charge(number: int, ended: float, status: int | None = 200) -> Charge:
    outcome = Outcome.CHARGED if status == 200 else Outcome.FAILED
    made = Charge(SCENE.vehicles[number - 1], f"ev-{number}", 0.0, 0.0, ended, outcome, status)
    assert made.lag == 0
    return made


def attempt(number: int, began: float, ended: float, *, charged: bool = True) -> Attempt:
    outcome = "charged" if charged else "aborted"
    return Attempt("", outcome, 5.0, BEGAN + began, BEGAN + ended, f"ev-{number}", 5.0)


def run(charges: list[Charge], *logs: list[Attempt], faults: list[Event] | None = None) -> Run:
    return Run(TrafficRecord(BEGAN, charges, [], faults or []), logs, 0, {})


def test_vehicles_without_a_200_are_lost_and_do_not_enter_the_times() -> None:
    seen = run(
        [charge(1, 1.0), charge(2, 1.4), charge(3, 0.01, 503)],
        [attempt(1, 0.0, 1.0)],
        [attempt(2, 0.0, 1.0)],
    )

    found = figures(SCENE, seen)

    assert (found.vehicles, found.lost, found.charged_all) == (3, 1, False)
    assert found.mean_s == pytest.approx(1.2)
    assert found.refused_while_free == 0, "both points were taken"


def test_a_refusal_while_a_point_was_free_is_counted() -> None:
    seen = run([charge(1, 1.0), charge(2, 0.5, 503)], [attempt(1, 0.0, 1.0)], [])
    assert figures(SCENE, seen).refused_while_free == 1


def test_a_vehicle_that_got_no_answer_is_lost_but_was_not_refused() -> None:
    seen = run([charge(1, 1.0), charge(2, 25.0, None)], [attempt(1, 0.0, 1.0)], [])
    found = figures(SCENE, seen)
    assert (found.lost, found.refused_while_free) == (1, 0)


def test_a_free_point_at_a_dead_substation_does_not_count_as_free() -> None:
    seen = run(
        [charge(1, 3.0), charge(2, 2.5, 503)],
        [attempt(1, 2.0, 3.0)],
        [],
        faults=[Event(2.2, "is killed", "substation2")],
    )
    assert figures(SCENE, seen).refused_while_free == 0


def test_a_vehicle_that_two_substations_charged_to_the_end_is_charged_twice() -> None:
    twice = run(
        [charge(1, 2.0), charge(2, 1.0)],
        [attempt(1, 0.0, 1.0)],
        [attempt(2, 0.0, 0.9), attempt(1, 1.0, 2.0)],
    )
    moved = run([charge(1, 2.0)], [attempt(1, 0.0, 0.5, charged=False)], [attempt(1, 0.5, 1.5)])
    assert figures(SCENE, twice).charged_twice == 1
    assert figures(SCENE, moved).charged_twice == 0


def test_a_vehicle_that_is_charged_in_parts_is_not_charged_twice() -> None:
    first = attempt(1, 0.0, 1.0)._replace(delivered_kwh=4.042)
    rest = attempt(1, 3.0, 3.1)._replace(delivered_kwh=0.958)
    for logs in (([first, rest], []), ([first], [rest])):
        assert figures(SCENE, run([charge(1, 3.1)], *logs)).charged_twice == 0
    again = rest._replace(delivered_kwh=5.0)
    assert figures(SCENE, run([charge(1, 3.1)], [first], [again])).charged_twice == 1


def test_two_vehicles_at_one_point_are_over_capacity() -> None:
    seen = run([charge(1, 1.0), charge(2, 1.0)], [attempt(1, 0.0, 1.0), attempt(2, 0.5, 1.5)], [])
    assert figures(SCENE, seen).over_capacity == 1


def test_what_bypass_vehicles_found_is_reported_apart() -> None:
    scene = replace(SCENE, bypass_vehicles=SCENE.vehicles[:2])
    record = TrafficRecord(BEGAN, [charge(1, 1.0)], [charge(1, 1.0), charge(2, 0.01, 503)], [])
    found = figures(scene, Run(record, ([attempt(1, 0.0, 1.0)], []), 0, {}))
    assert (found.bypass_vehicles, found.bypass_vehicles_turned_away, found.lost) == (2, 1, 0)


def test_a_substation_counts_as_back_from_the_moment_at_which_it_was_ready() -> None:
    faults = [Event(1.0, "is killed", "substation2"), Event(3.0, "starts", "substation2")]
    record = TrafficRecord(BEGAN, [], [], faults)
    seen = Run(record, ([], []), 0, {"substation2": 3.8})
    assert as_seen(faults, seen)[1] == Event(3.8, "starts", "substation2")
    _, substation = occupancies(SCENE, seen)
    assert not substation.is_usable(3.7)
    assert substation.is_usable(3.8)


def test_a_run_as_the_all_knowing_chooser_would_have_it_is_at_the_limit() -> None:
    scene = next(one for one in scenes(quick=True) if one.name == "burst")
    free_at = [(0.0, number) for number, n in enumerate(scene.capacities) for _ in range(n)]
    charges: list[Charge] = []
    logs: list[list[Attempt]] = [[] for _ in scene.capacities]
    for vehicle in scene.vehicles:
        free_at.sort()
        since, substation = free_at[0]
        began = max(since, vehicle.due)
        ended = began + held_s(vehicle)
        free_at[0] = (ended, substation)
        name = f"ev-{vehicle.number}"
        logs[substation].append(attempt(vehicle.number, began, ended))
        due = vehicle.due
        charges.append(Charge(vehicle, name, due, due, ended, Outcome.CHARGED, 200))

    found = figures(scene, run(charges, *logs))

    assert found.ratio == pytest.approx(1.0, abs=1e-6)
    assert (found.lost, found.over_capacity, found.refused_while_free) == (0, 0, 0)
    assert found.mean_imbalance < 0.02
