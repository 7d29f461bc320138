"""A run summed up: JSON, tables and page."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from load_tester.latency import Spread
from load_tester.limits import Breaking
from load_tester.options import Options
from load_tester.reconciliation.decisions import DecisionRecords
from load_tester.reconciliation.findings import Finding, Reconciliation, Verdict
from load_tester.report.charts import nice_ceiling
from load_tester.report.csv_export import write_csv
from load_tester.report.page import render_page
from load_tester.report.terminal import print_result
from load_tester.result import Cost, Recording, Result, as_json, sum_up
from load_tester.substation import GridSamples
from load_tester.trace import read_trace
from load_tester.vehicle import Charge, Outcome, Plan, Stage, Vehicle
from tests.unit.load_tester.builders import BEGAN, TAG, charge, decision

HOSTILE = '<script>alert("1")</script> & [bold]'


def made(charges: list[Charge], **fields: Any) -> Result:
    """Sum a run up whose balancer sent each of its vehicles to substation1 of two substations."""
    records = DecisionRecords(TAG, BEGAN)
    loads = {"substation1": (0, 4), "substation2": (1, 8)}
    records.absorb(
        {
            "last": len(charges),
            "decisions": [decision(n, "substation1", loads) for n in range(1, len(charges) + 1)],
        }
    )
    samples = GridSamples()
    for at in range(5):
        substations = [{"name": "substation1", "load": at, "capacity": 4, "address": "http://a"}]
        samples.absorb(
            {"policy": "least-loaded", "waiting": at, "substations": substations}, float(at)
        )
    recording = Recording(
        Plan("steady", "some vehicles", [one.vehicle for one in charges] + [Vehicle(99, 60.0, 1)]),
        charges,
        samples,
        records,
        "",
        Reconciliation([Finding("sessions", Verdict.OK, "as answered")]),
        None,
        Cost(10.0, 0.05, Spread.of([0.001, 0.002])),
        Options(url="http://127.0.0.1:8080"),
        datetime.fromtimestamp(BEGAN, UTC),
    )
    for name, value in fields.items():
        setattr(recording, name, value)
    return sum_up(recording)


def mixed() -> list[Charge]:
    return [
        *[charge(n, due=n / 10, took=2 + n / 10, charging_s=2.0) for n in range(1, 31)],
        charge(31, due=3.1, outcome=Outcome.REFUSED, status=503, reason=HOSTILE),
        charge(32, due=3.2, outcome=Outcome.FAILED, reason="connection refused", tries=3),
        charge(33, due=3.3, outcome=Outcome.ACCEPTED, status=202, substation="substation2"),
        charge(34, due=3.4, outcome=Outcome.CUT_SHORT),
    ]


class Page(HTMLParser):
    """Notes tags and the attributes that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [str(value) for name, value in attrs if name in ("src", "href", "onclick")]


def test_the_json_tells_the_run() -> None:
    document = json.loads(json.dumps(as_json(made(mixed()))))
    assert document["format"] == "load_tester/1"
    assert document["setting"] == {
        "url": "http://127.0.0.1:8080",
        "seed": 1,
        "began": "2027-01-15T08:00:00+00:00",
        "thresholds": {"max_lost": 0, "max_p99": None, "max_p99_delay": None, "min_rate": None},
        "patience": 0.0,
        "idempotent": False,
        "respond_async": False,
    }
    vehicles = document["vehicles"]
    assert (vehicles["sent"], vehicles["unsent"], vehicles["lost"]) == (34, 1, 2)
    assert (vehicles["charged"], vehicles["accepted"], vehicles["cut_short"]) == (30, 1, 1)
    assert vehicles["retries"] == 2
    assert document["answers"] == {"200": 30, "202": 1, "503": 1, "cut short": 1, "no answer": 1}
    assert document["time_to_charge_s"]["p50"] == pytest.approx(3.5)
    assert document["delay_s"]["max"] == pytest.approx(3.0)
    assert document["choices"]["least_loaded"] == 34
    assert document["choices"]["largest_imbalance"]["gap"] == 0
    assert document["books"]["in_order"] is True
    assert document["passed"] is False
    assert document["missed"] == [
        "1 vehicles have no outcome though nobody stopped the run",
        "2 vehicles lost; at most 0 may be",
    ]
    assert sum(window["due"] for window in document["windows"]) == 34


def test_lost_vehicles_within_the_limit_pass() -> None:
    ended = mixed()[:-1]
    assert made(ended, options=Options(max_lost=2)).passed
    assert not made(ended, options=Options(max_lost=2, max_p99=4.9)).passed


def test_a_vehicle_without_an_outcome_fails_a_run_that_nobody_stopped() -> None:
    unended = [charge(1), charge(2, outcome=Outcome.CUT_SHORT)]
    result = made(unended)
    assert not result.passed
    assert result.missed == ("1 vehicles have no outcome though nobody stopped the run",)
    assert made(unended, interrupted=True).passed
    broke = Breaking("at most 0 lost", 4.0, 8.0, "2 vehicles lost")
    assert made(unended, breaking=broke).passed
    assert not made(unended, breaking=Breaking("at most 0 lost", 8.0, None, "none")).passed


def test_counters_that_do_not_add_up_fail_a_run_without_losses() -> None:
    found = [Finding("sessions", Verdict.ERROR, "one too few")]
    assert not made([charge()], reconciliation=Reconciliation(found)).passed


def test_a_stress_run_passes_when_it_breaks_and_fails_below_the_rate_that_is_wanted() -> None:
    stages = (Stage("4/s", 0.0, 2.0, 4.0), Stage("8/s", 2.0, 4.0, 8.0))
    fields: dict[str, Any] = {
        "plan": Plan("stress", "steps", [Vehicle(1, 0.0, 1.0)], stages=stages),
        "breaking": Breaking("at most 0 lost", 4.0, 8.0, "2 vehicles lost"),
    }
    result = made(mixed(), **fields)
    assert result.passed
    assert [stage.name for stage, _ in result.stages] == ["4/s", "8/s"]
    assert not made(mixed(), options=Options(min_rate=5.0), **fields).passed
    assert made(mixed(), options=Options(min_rate=4.0), **fields).passed
    assert "broke at 8: 2 vehicles lost" in render_page(result)


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    text = render_page(made(mixed()))
    page = Page(text)
    assert "svg" in page.tags
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert page.loads == []
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text


def test_the_page_escapes_whatever_a_service_answered() -> None:
    result = made([*mixed(), charge(40, substation=HOSTILE)])
    text = render_page(result).replace("&#34;", "&quot;")  # two ways to write one character
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; [bold]") >= 3


def test_the_pictures_are_well_formed_and_draw_every_substation_and_percentile() -> None:
    text = render_page(made([*mixed(), charge(40, due=2.0, substation="north & south")]))
    pictures = [ElementTree.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.S)]  # noqa: S314 - our own page
    words = [" ".join(picture.itertext()) for picture in pictures]
    assert len(pictures) == 4
    assert all(name in words[0] for name in ("arrivals", "waiting", "substation1", "north & south"))
    assert all(mark in words[1] for mark in ("p50", "p90", "p99"))
    assert "north & south" in words[3]
    numbers = re.findall(r'(?:x|y|x1|y1|x2|y2|width|height)="(-?[\d.]+|nan|inf)"', text)
    assert all(0 <= float(number) < 5000 for number in numbers)


@pytest.mark.parametrize(
    "charges",
    [[], [charge(1, took=0.0)], [charge(1, outcome=Outcome.FAILED)]],
    ids=["nobody", "in no time", "all lost"],
)
def test_a_run_of_nearly_nothing_has_its_reports_too(charges: list[Charge]) -> None:
    result = made(charges, decisions=None, decisions_fault="/decisions answered 404")
    assert "Not available" in render_page(result) or "not available" in render_page(result)
    assert as_json(result)["choices"] == {"available": False, "reason": "/decisions answered 404"}
    print_result(Console(file=io.StringIO()), result)


def test_the_tables_show_texts_as_they_are_and_the_verdict_last() -> None:
    screen = io.StringIO()
    print_result(Console(file=screen, width=140), made(mixed()))
    printed = screen.getvalue()
    assert "[bold]" in printed  # not taken for markup
    assert "2 tries again" in re.sub(r"\s+", " ", printed)
    assert printed.rstrip().endswith(
        "31 of 34 vehicles charged (1 of them accepted, charging on), 2 lost, 1 cut short"
    )


def test_one_row_a_vehicle_can_be_replayed(tmp_path: Path) -> None:
    file = tmp_path / "each.csv"
    with file.open("w", newline="") as out:
        write_csv(list(reversed(mixed())), [], out)
    rows = list(csv.DictReader(file.open()))
    assert [row["due_s"] for row in rows] == sorted(row["due_s"] for row in rows)
    assert rows[30]["reason"] == HOSTILE
    assert len(read_trace(file).sessions) == 34


@pytest.mark.parametrize(
    ("value", "ceiling"), [(0, 1), (0.3, 0.5), (1, 1), (1.01, 2), (7, 10), (20, 20), (201, 500)]
)
def test_scales_end_at_round_numbers(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)
