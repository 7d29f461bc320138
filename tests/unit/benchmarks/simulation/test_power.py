"""The report on shared power is reproduced, and its assertions hold."""

from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from statistics import fmean

import pytest

from benchmarks.harness.findings import Assertion
from benchmarks.simulation.balancer import PooledBalancer
from benchmarks.simulation.demand import Arrival
from benchmarks.simulation.power import __main__ as command
from benchmarks.simulation.power import report
from benchmarks.simulation.power.assertions import ASSERTIONS
from benchmarks.simulation.power.bound import bound_min, lower_bound_s
from benchmarks.simulation.power.contenders import (
    CONTENDERS,
    HAPROXY_LIMITS,
    HAPROXY_POINTS,
    LEAST_LOADED,
    OURS,
)
from benchmarks.simulation.power.demand import HOUR_S, misreports, sends_only_energy, steady
from benchmarks.simulation.power.figures import PowerFigures, rounded
from benchmarks.simulation.power.runs import SEEDS, Results, Run, contenders, play, runs
from benchmarks.simulation.power.scenes import (
    CARRIED,
    MEASURED_H,
    SATURATIONS,
    SCENES,
    UNLIKE_80,
    UNLIKE_95,
    UNLIMITED_95,
)
from benchmarks.simulation.scenes import Scene, SubstationSpec
from benchmarks.simulation.world import Entry, World
from load_balancer.routing.demand import Demand
from load_balancer.routing.policy import Candidate, Option, Request

# A draw of each scene, and of each contender in one of them, is played again.
AGAIN = [
    *(Run(scene.name, OURS, 1) for scene in SCENES if scene not in SATURATIONS),
    *(Run(UNLIKE_80.name, entry.name, 2) for entry in CONTENDERS),
]


@pytest.fixture(scope="module")
def results() -> Results:
    return Results.load(command.RUNS)


def test_the_checked_in_report_is_what_its_runs_say(results: Results) -> None:
    assert command.REPORT.read_text(encoding="utf-8") == report.write(results), (
        "run: python -m benchmarks.simulation.power --report"
    )


def test_the_checked_in_runs_are_all_that_are_to_be_played(
    results: Results, tmp_path: Path
) -> None:
    played = [
        Run(scene, name, seed)
        for scene, by_name in results.figures.items()
        for name, figures in by_name.items()
        for seed, _ in enumerate(figures, start=SEEDS[0])
    ]
    assert played == runs()
    results.save(tmp_path / "power.json")
    assert (tmp_path / "power.json").read_text() == command.RUNS.read_text()


@pytest.mark.parametrize("assertion", ASSERTIONS, ids=lambda one: one.words)
def test_each_assertion_holds(assertion: Assertion[Results], results: Results) -> None:
    assert assertion.is_kept(results), (
        f"{assertion.figure(results):.4f}, and the limit is {assertion.limit:g}"
    )


@pytest.mark.parametrize("run", AGAIN, ids=lambda run: f"{run.scene}, {run.contender}")
def test_a_run_comes_out_as_it_is_checked_in(run: Run, results: Results) -> None:
    before = results.figures[run.scene][run.contender][run.seed - 1]
    assert play(run) == before, (
        "routing behaves differently; if it is meant, run python -m benchmarks.simulation.power"
    )


def test_least_loaded_carries_what_loads_are_shares_of(results: Results) -> None:
    for scene in SATURATIONS:
        figures = results.figures[scene.name][LEAST_LOADED]
        carried = sum(one.charged_an_hour for one in figures) / len(figures)
        assert CARRIED[scene.substations] == pytest.approx(carried, rel=0.01)


@pytest.mark.parametrize("scene", [UNLIKE_80, UNLIKE_95], ids=lambda scene: scene.name)
def test_three_balancers_charge_vehicles_of_different_substations_as_fast_as_one(
    scene: Scene,
) -> None:
    entry = next(one for one in CONTENDERS if one.name == OURS)

    def mean_s(balancers: int, seed: int) -> float:
        world = World(replace(scene, balancers=balancers), entry, seed)
        world.run()
        began = scene.measured_from
        measured = [
            one for one in world.vehicles if began <= one.arrival.at < MEASURED_H[1] * HOUR_S
        ]
        return fmean((one.charged_at or inf) - one.arrival.at for one in measured)

    one, three = (fmean(mean_s(count, seed) for seed in (1, 2)) for count in (1, 3))
    assert three <= 1.03 * one


def test_without_limits_each_draw_comes_out_as_with_least_loaded(results: Results) -> None:
    played = results.figures[UNLIMITED_95.name]
    for ours, least_loaded in zip(played[OURS], played[LEAST_LOADED], strict=True):
        assert ours._replace(error=0.0) == least_loaded


def test_every_vehicle_of_every_contender_is_accounted_for(results: Results) -> None:
    for scene in SCENES:
        played = results.figures[scene.name]
        assert list(played) == [one.name for one in contenders(scene)]
        for name, figures in played.items():
            for one, ours in zip(figures, played[OURS], strict=True):
                assert one.vehicles == ours.vehicles > 500, (scene.name, name)
                assert one.over_limit_kw == 0, (scene.name, name)
                assert scene in SATURATIONS or (one.lost, one.refused) == (0, 0), scene.name


# The bound


def test_no_contender_beats_the_lower_bound(results: Results) -> None:
    for scene, bounds in results.bounds_min.items():
        for figures in results.figures[scene].values():
            assert all(one.mean_min > bound for one, bound in zip(figures, bounds, strict=True))


def test_the_bound_comes_out_as_it_is_checked_in(results: Results) -> None:
    assert rounded(bound_min(UNLIKE_95, 1)) == results.bounds_min[UNLIKE_95.name][0]


def test_the_bound_of_few_vehicles_is_what_can_be_worked_out_by_hand() -> None:
    fast = SubstationSpec("fast", 1, point_power_kw=100)
    slow = SubstationSpec("slow", 10, point_power_kw=10)
    vehicles = [Arrival(0.0, Demand(50.0), 0.0) for _ in range(4)]
    # At a time scale of 1, half an hour each at the fast point, five hours at the slow ones.
    long = lower_bound_s(vehicles, [fast, slow], 1.0, 10 * 3600)
    assert long == pytest.approx(1800)
    # In one hour the fast point takes two of the four.
    short = lower_bound_s(vehicles, [fast, slow], 1.0, 3600)
    assert short == pytest.approx((2 * 1800 + 2 * 18_000) / 4)
    # Where its limit gives half, it charges one of them; the rest need more of the slow points.
    held_back, slower = fast._replace(power_limit_kw=50), slow._replace(capacity=20)
    assert lower_bound_s(vehicles, [held_back, slower], 1.0, 3600) == pytest.approx(
        (3600 + 3 * 18_000) / 4
    )


# Vehicles and contenders


def test_vehicles_come_at_their_rate_and_tell_what_they_are() -> None:
    arrivals = list(steady(20, 200)(Random(1)))
    assert len(arrivals) == pytest.approx(4000, rel=0.05)
    assert all(0 < one.at < 200 * HOUR_S for one in arrivals)
    assert all(None not in one.demand for one in arrivals)
    assert all(one.is_in_truth is None for one in arrivals)


def test_some_misreport_and_some_leave_early() -> None:
    arrivals = list(misreports(steady(20, 500), wrong=0.3, leaves=0.1)(Random(1)))
    as_reported = [one for one in arrivals if one.is_in_truth == one.demand]
    # Half of those that misreport tell less than they take, and are given what they told.
    assert len(as_reported) / len(arrivals) == pytest.approx((0.7 + 0.3 / 2) * 0.9, abs=0.03)
    for one in arrivals:
        assert one.is_in_truth is not None
        assert 0 < one.is_in_truth.kwh <= one.demand.kwh
        assert one.demand.soc is not None
        assert one.demand.battery_kwh is not None
        assert one.demand.kwh <= (1 - one.demand.soc) * one.demand.battery_kwh * (1 + 1e-12)


def test_vehicles_that_tell_their_energy_alone_are_what_they_were() -> None:
    reported, plain = (
        list(draw(Random(1))) for draw in (sends_only_energy(steady(20, 50)), steady(20, 50))
    )
    assert [one.is_in_truth for one in reported] == [one.demand for one in plain]
    assert {one.demand[1:] for one in reported} == {(None, None, None)}


@pytest.mark.parametrize(
    ("entry", "chosen"), [(HAPROXY_POINTS, "workplace"), (HAPROXY_LIMITS, "motorway")]
)
def test_haproxy_takes_an_idle_substation_then_the_least_for_its_weight(
    entry: Entry, chosen: str
) -> None:
    (balancer,) = World(UNLIKE_80, entry).balancers
    assert isinstance(balancer, PooledBalancer)
    policy = balancer.pool.policy

    def choose(**loads: int) -> str:
        options = [
            Option(Candidate(name, name, load, points, (load + 1) / points, 0.1, 0), points - load)
            for (name, load), points in zip(loads.items(), (12, 4, 24), strict=True)
        ]
        return policy.choose(options, Request(Demand(10.0)), Random(1)).candidate.name

    assert choose(hub=1, motorway=1, workplace=0) == "workplace"
    assert choose(hub=3, motorway=3, workplace=3) == chosen


# The command


def test_check_says_which_runs_differ(
    results: Results,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "REPORT", tmp_path / "power.md")
    monkeypatch.setattr(command, "RUNS", tmp_path / "power.json")
    monkeypatch.setattr(command, "play_all", lambda _jobs, _tell: results)  # as they were played
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    assert "all runs are as in" in capsys.readouterr().out
    first: PowerFigures = results.figures[UNLIKE_80.name][OURS][0]
    text = (tmp_path / "power.json").read_text()
    (tmp_path / "power.json").write_text(text.replace(str(first.mean_min), "12.3456", 1))
    assert command.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert f"{UNLIKE_80.name}, {OURS}, draw 1: was" in said


def test_the_report_can_be_written_from_what_was_played(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "REPORT", tmp_path / "power.md")
    monkeypatch.delattr(command, "play_all")
    assert command.main(["--report"]) == 0
    assert (tmp_path / "power.md").read_bytes() == (command.FOLDER / "power.md").read_bytes()
