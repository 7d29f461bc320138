"""A long run in segments: which comes next, how it continues, and the sums of the report."""

import json
from pathlib import Path
from typing import Any

from benchmarks.harness.reconciliation import Reconciliation
from benchmarks.harness.results import to_json
from benchmarks.kills import evidence, report
from benchmarks.kills.options import Options
from benchmarks.kills.run import Results
from benchmarks.kills.segments import Segment, Segments, agrees, next_segment

OPTIONS = Options(kills=250, segment=100, seed=5, ledgers=("sqlite", "postgresql"))


def done(ledger: str, seed: int, kills: int = 100, **changes: Any) -> dict[str, Any]:
    results = Results(Segment(ledger, kills, seed), kills=kills, commit="abc1234")
    results.by_fault.update({"kill at any time": kills, "cut": 3})
    results.longest_s = float(seed)
    results.reconciliation = Reconciliation(
        vehicles=10 * kills, charged=9 * kills, stopped=kills, kwh_asked=0.1, kwh_metered=0.2
    )
    for name, value in changes.items():
        setattr(results.reconciliation, name, value)
    return report.document(results)


def test_ledgers_take_turns_until_each_has_its_kills() -> None:
    segments: list[dict[str, Any]] = []
    order = []
    while (one := next_segment(segments, OPTIONS)) is not None:
        order.append(one)
        # Two parts can die at once, so one more than asked for is killed now and then.
        segments.append(done(one.ledger, one.seed, one.kills + 1))
    assert order == [
        Segment("sqlite", 100, 5),
        Segment("postgresql", 100, 5),
        Segment("sqlite", 100, 6),
        Segment("postgresql", 100, 6),
        Segment("sqlite", 48, 7),
        Segment("postgresql", 48, 7),
    ]


def test_a_segment_in_which_something_does_not_agree_is_made_up_for_by_another_seed() -> None:
    failed = done("sqlite", 5, lost=["vehicle 1"])
    broken = done("sqlite", 6, 40)
    broken["troubles"] = ["broke off: StartError"]
    assert not agrees(failed)
    assert next_segment([failed, broken], OPTIONS) == Segment("sqlite", 100, 7)


def test_an_interrupted_run_continues_after_its_finished_segments(tmp_path: Path) -> None:
    file = tmp_path / "kills.part.json"
    first = Segments(file)
    first.add(done("sqlite", 5))
    first.add(done("postgresql", 5))
    again = Segments(file)
    assert again.done == first.done
    assert next_segment(again.done, OPTIONS) == Segment("sqlite", 100, 6)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    again.finish()
    assert not list(tmp_path.iterdir())


def test_the_report_adds_up_what_agrees_and_lists_the_rest() -> None:
    segments = [
        done("sqlite", 5, excess={"s1": 1.5, "s2": 2.0}),
        done("postgresql", 5),
        done("sqlite", 6, 48),
        done("sqlite", 7, unequal=["vehicle 9, session s9: 1 kWh wanted, 2 metered"]),
    ]
    runs = report.summed(segments)
    assert list(runs["ledgers"]) == ["sqlite", "postgresql"]
    sqlite = runs["ledgers"]["sqlite"]
    assert (sqlite["kills"], sqlite["vehicles"], sqlite["unequal"]) == (148, 1480, 0)
    assert sqlite["faults"] == {"cut": 6, "kill at any time": 148}
    assert (sqlite["excess_sessions"], sqlite["excess_most_kwh"]) == (2, 2.0)
    assert (sqlite["longest_s"], sqlite["kwh_metered"]) == (6.0, 0.4)
    assert [one["seed"] for one in sqlite["segments"]] == [5, 6]
    assert [one["seed"] for one in runs["failed"]] == [7]
    page = report.page(json.loads(to_json(runs)))
    assert "unequal: vehicle 9, session s9: 1 kWh wanted, 2 metered" in page
    assert "| parts killed " in page
    assert "abc1234" in page


def test_a_segment_that_all_agrees_in_leaves_nothing_to_explain() -> None:
    page = report.page(report.summed([done("sqlite", 5)]))
    assert "with differences" not in page


def test_evidence_of_a_session_is_what_parts_logged_of_it_and_the_faults_between(
    tmp_path: Path,
) -> None:
    (tmp_path / "grid").mkdir()

    def log(part: str, *lines: dict[str, Any]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / part).write_text(text + '{"torn', encoding="utf-8")

    def at(second: int, **line: Any) -> dict[str, Any]:
        return {"time": f"2026-11-26T20:00:{second:02}.000000+00:00", **line}

    log(
        "grid/gateway.log",
        at(1, service="gateway", event="answered", session_id="s1"),
        at(9, service="gateway", event="ended", session_id="s1"),
        at(2, service="gateway", event="answered", session_id="s2"),
    )
    log("grid/balancer.log", at(3, service="balancer", event="dispatched", session_id="s1"))
    log(evidence.FAULTS, at(0, event="too early"), at(5, event="kill balancer"))
    assert list(evidence.log_lines(tmp_path, ["s1", "s3"])) == [
        "session s1:",
        "  20:00:01.000 gateway: answered {}",
        "  20:00:03.000 balancer: dispatched {}",
        "  20:00:05.000 kill balancer",
        "  20:00:09.000 gateway: ended {}",
        "session s3:",
        "  no part logged anything of it",
    ]
