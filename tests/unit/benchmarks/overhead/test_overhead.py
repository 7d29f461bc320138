"""The prerequisites of an overhead measurement, and its checked-in report."""

import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness import command
from benchmarks.harness.options import RESULTS
from benchmarks.harness.throughput import median_round
from benchmarks.overhead import __main__ as command_line
from benchmarks.overhead import choice, report
from benchmarks.overhead.many import kb_for_each, measure, per_core
from benchmarks.overhead.measurement import Measurement
from benchmarks.overhead.results import ChoiceCost, Many, Results
from load_balancer.routing.policies import DEFAULT_POLICY


def test_too_few_open_files_are_reported_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(*_: object) -> None:
        pytest.fail("it measured")

    monkeypatch.setattr(command, "raise_on_signal", lambda: None)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(Measurement, "_rush_all", measure)
    monkeypatch.setattr(Measurement, "_hold_all", measure)
    assert command_line.main(["--quick", "--topologies", "substation"]) == 1
    assert "error: 20000 open files are needed and 4096 allowed" in capsys.readouterr().out


def test_the_checked_in_report_is_what_its_results_say() -> None:
    results = Results.load(RESULTS / "overhead.json")
    assert (RESULTS / "overhead.md").read_text(encoding="utf-8") == report.write(results)


def test_the_checked_in_results_are_as_they_would_be_kept(tmp_path: Path) -> None:
    Results.load(RESULTS / "overhead.json").save(tmp_path / "overhead.json")
    assert (tmp_path / "overhead.json").read_text() == (RESULTS / "overhead.json").read_text()


@pytest.mark.parametrize(
    ("policy", "least_of_300", "least_of_3000"),
    [("least-loaded", 0.7, 0.5), ("earliest-finish", 0.5, 0.25)],
)
def test_the_checked_in_rates_with_many_substations_stay_near_those_with_three(
    policy: str, least_of_300: float, least_of_3000: float
) -> None:
    measured = Results.load(RESULTS / "overhead.json").many
    rows = {row.substations: row for row in measured if row.policy == policy}
    assert rows[300].per_s >= least_of_300 * rows[3].per_s
    assert rows[3_000].per_s >= least_of_3000 * rows[3].per_s
    assert rows[300].p99_s < 2 * rows[3].p99_s
    assert kb_for_each(list(rows.values()), policy) < 30


def many(policy: str, substations: int, per_s: float, memory_bytes: int) -> Many:
    return Many(policy, substations, per_s, 0.03, 0.0002, 0.125, memory_bytes)


def test_many_substations_are_shown_beside_the_fewest() -> None:
    rows = [
        many("least-loaded", 3, 3000, 40_000_000),
        many("least-loaded", 1003, 2100, 40_000_000 + 1000 * 20 * 1024),
        many("earliest-finish", 3, 2000, 40_000_000),
    ]
    assert kb_for_each(rows, "least-loaded") == 20
    assert kb_for_each(rows, "earliest-finish") == 0
    reported = report.write(replace(Results.load(RESULTS / "overhead.json"), many=rows))
    assert re.search(r"least-loaded +\| +1,003 \| +2,100 \| +70%", reported)
    assert "least-loaded: 20.0 KB for each substation." in reported


def test_a_balancer_with_a_processor_of_its_own_is_slowed_by_its_polls() -> None:
    row = many("least-loaded", 3, 1000, 40_000_000)  # 200 µs a charge, 125 of them for polls
    assert per_core(row) == pytest.approx(0.875 / 75e-6)


def test_of_several_rounds_the_median_counts() -> None:
    rounds = [many("least-loaded", 3, per_s, 40_000_000) for per_s in (2900, 3000, 1200)]
    assert median_round(rounds) is rounds[0]


def test_many_substations_answer_and_the_balancer_reaches_each(tmp_path: Path) -> None:
    row = measure("earliest-finish", 40, tmp_path / "run", idle_s=0.5, seconds=1)
    assert (row.policy, row.substations) == ("earliest-finish", 40)
    assert row.per_s > 1
    assert row.cpu_s > 0
    assert row.memory_bytes > 1_000_000


def test_a_choice_is_timed_and_one_that_costs_too_much_is_reported() -> None:
    found = choice.measure(DEFAULT_POLICY, 3, vehicles=50)
    assert (found.policy, found.substations) == (DEFAULT_POLICY, 3)
    assert 1 < found.median_us < 5_000
    assert not choice.exceeds_limit(ChoiceCost(DEFAULT_POLICY, 3, 60.0))
    assert choice.exceeds_limit(ChoiceCost(DEFAULT_POLICY, 3, 60.1))
    assert choice.exceeds_limit(ChoiceCost(DEFAULT_POLICY, 30, 400.1))
    assert not choice.exceeds_limit(ChoiceCost(DEFAULT_POLICY, 300, 9_999.0))
    assert not choice.exceeds_limit(ChoiceCost("least-loaded", 3, 9_999.0))


def test_no_choice_of_the_checked_in_results_exceeds_its_limit() -> None:
    choices = Results.load(RESULTS / "overhead.json").choices
    assert {one.substations for one in choices} >= choice.LIMITS_US.keys()
    assert not any(map(choice.exceeds_limit, choices))
