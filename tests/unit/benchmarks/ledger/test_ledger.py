"""The ledger's checked-in report: what it says is what was found, and nothing is wrong in it."""

import json
from typing import Any

import pytest

from benchmarks.harness import databases
from benchmarks.harness.options import RESULTS
from benchmarks.ledger import faults, many_vehicles, rates, report
from benchmarks.ledger.options import parse
from benchmarks.ledger.scenes import SCENES

RUNS: dict[str, Any] = json.loads((RESULTS / "ledger.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def scenes() -> dict[str, Any]:
    return {name: one["found"] for name, one in RUNS.items()}


def test_the_checked_in_report_is_what_its_results_say() -> None:
    page = (RESULTS / "ledger.md").read_text(encoding="utf-8")
    assert page == report.page(RUNS)


def test_the_report_has_every_scene(scenes: dict[str, Any]) -> None:
    assert scenes.keys() == SCENES.keys()


def test_an_outage_of_30_s_loses_nothing(scenes: dict[str, Any]) -> None:
    assert [one["kind"] for one in scenes["outages"]] == list(faults.KINDS)
    for one in scenes["outages"]:
        assert one["away_s"] >= 30
        assert one["troubles"] == []
        assert one["kwh_metered"] == one["kwh_written"] > 0
        assert min(one["running"], one["ended"]) > 0
        assert sum(one["refused"].values()) > 100
        assert one["written_after_s"] < 5


def test_each_of_10000_keys_has_one_session(scenes: dict[str, Any]) -> None:
    assert scenes["keys"].keys() == set(databases.KINDS)
    for one in scenes["keys"].values():
        assert one["keys"] == one["sessions"] == one["answers"]["another body"] == 10_000
        assert one["kwh_asked"] == one["kwh_metered"] > 0
        # Five at once, after all kills, and each of them the bytes of before.
        assert one["answers"]["replayed"] >= 5 * one["keys"]
        assert min(one["answers"]["running"], one["taken_over"]) > 500
        assert one["kills"] == 5
        assert one["troubles"] == []


def test_9000_at_once_are_all_charged_and_go_on_without_their_balancer(
    scenes: dict[str, Any],
) -> None:
    assert [one["manner"] for one in scenes["many-vehicles"]] == list(many_vehicles.MANNERS)
    for one in scenes["many-vehicles"]:
        stopped = int(bool(one["restarts"]))
        assert one["vehicles"] == 9_000 == one["charged"] + stopped
        assert one["troubles"] == []
        assert one["longest_pause_s"] < 1
        assert one["latest_s"] < 1
        for hop, kb in one["memory_kb"].items():
            assert kb < _BEFORE_KB[hop] + 10


def test_a_ledger_costs_little_of_the_rate(scenes: dict[str, Any]) -> None:
    assert {one["manner"] for one in scenes["rates"]} == {"plain", "keyed"}
    for one in scenes["rates"]:
        assert one["share"] >= rates.LIMITS.get(one["ledger"], 0.0), one
    assert rates.LIMITS == {"sqlite": 0.9, "postgresql": 0.8}


def test_the_event_loop_never_wakes_over_5_ms_late_beside_a_ledger(scenes: dict[str, Any]) -> None:
    assert scenes["loop"].keys() == set(databases.KINDS)
    for one in scenes["loop"].values():
        assert one["ledger"]["looks"] > 10_000
        assert one["ledger"]["over_5_ms"] == 0


def test_readings_of_a_million_sessions_are_fast(scenes: dict[str, Any]) -> None:
    assert scenes["reads"].keys() == set(databases.KINDS)
    for one in scenes["reads"].values():
        assert one["rows"] == 1_000_000
        for reading in one["readings"]:
            most_ms = 10 if reading["name"] == "one session by its id" else 25
            assert max(reading["alone_ms"], reading["under_writes_ms"]) < most_ms, reading


# Of a plain vehicle that was held before there were ledger and journals.
_BEFORE_KB = {"gateway": 28.0, "balancer": 30.1, "substation": 20.5}


def test_a_scene_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["storms"])
    assert "storms is not a scene; it takes" in capsys.readouterr().err
