"""The kills that are checked in: enough, and nothing lost, charged twice or different."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.databases import KINDS
from benchmarks.harness.options import RESULTS
from benchmarks.kills import report
from benchmarks.kills.plan import Moment
from local_stack.process import ROOT

# Of each ledger.
LEAST_KILLS = 1_000
RUNS: dict[str, Any] = json.loads((RESULTS / "kills.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("ledger", KINDS)
def test_nothing_is_lost_charged_twice_or_different(ledger: str) -> None:
    one = RUNS["ledgers"][ledger]
    wrong = ("lost", "charged_twice", "unequal", "strange")
    assert {name: one[name] for name in wrong} == dict.fromkeys(wrong, 0)
    assert one["kills"] >= LEAST_KILLS
    assert one["vehicles"] >= 5 * one["kills"]
    assert one["charged"] + one["stopped"] == one["vehicles"]
    assert one["excess_most_kwh"] <= one["excess_bound_kwh"]
    assert one["kwh_metered"] - one["kwh_written"] <= one["excess_kwh"] + 0.001


@pytest.mark.parametrize("ledger", KINDS)
def test_it_is_the_sum_of_its_segments_each_counted_once(ledger: str) -> None:
    one = RUNS["ledgers"][ledger]
    for name in ("kills", "vehicles", "excess_sessions"):
        assert one[name] == sum(segment[name] for segment in one["segments"])
    failed = [segment for segment in RUNS["failed"] if segment["ledger"] == ledger]
    runs = [(segment["seed"], segment["commit"]) for segment in [*one["segments"], *failed]]
    assert len(set(runs)) == len(runs)
    assert len({segment["seed"] for segment in one["segments"]}) == len(one["segments"])
    assert all(segment["commit"] for segment in one["segments"])


@pytest.mark.parametrize("ledger", KINDS)
def test_parts_died_at_every_moment(ledger: str) -> None:
    one = RUNS["ledgers"][ledger]
    assert one["traced"]
    assert {"cut", "freeze", *(f"kill {moment}" for moment in Moment)} <= one["faults"].keys()


def test_a_segment_that_failed_says_why() -> None:
    assert all(one["troubles"] and one["cause"] for one in RUNS["failed"])


def test_the_page_and_the_docs_say_what_the_figures_are() -> None:
    assert Path(RESULTS / "kills.md").read_text(encoding="utf-8") == report.page(RUNS)
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert report.figures(RUNS) in text
