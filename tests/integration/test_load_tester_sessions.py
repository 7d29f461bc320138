"""The load tester's keys and asynchronous sessions before a whole grid, and its reconciliation."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.support.deadline import eventually

ROOT = Path(__file__).parents[2]
# 50 kW at 360 times real time: 5 kWh a second a point.
FEW = ("--vehicles", "30", "--rate", "15", "--kwh", "10", "--arrivals", "even")
StartLoadTest = Callable[..., "Running"]


class Running:
    """A load tester as a process."""

    def __init__(self, url: str, file: Path, *options: str) -> None:
        command = [sys.executable, "-m", "load_tester", "--url", url, "--json", str(file)]
        self._file = file
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def report(self, status: int = 0) -> dict[str, Any]:
        output, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == status, output[-6000:]
        document: dict[str, Any] = json.loads(self._file.read_text())
        return document


@pytest.fixture
def grid(start_grid: StartGrid, tmp_path: Path) -> Grid:
    return start_grid(
        points=(8, 8), gateway_env={"LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.sqlite'}"}
    )


def findings(report: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in report["books"]["findings"]}


def wait_until(grid: Grid, state: str, sessions: int) -> None:
    def check() -> None:
        page = requests.get(f"{grid.url}/sessions", params={"state": state}, timeout=5).json()
        assert len(page["sessions"]) >= sessions

    eventually(check, within_s=20)


def test_asked_answered_ledger_and_meters_agree(grid: Grid, tmp_path: Path) -> None:
    report = Running(grid.url, tmp_path / "a.json", *FEW).report()
    assert findings(report) == dict.fromkeys(
        ["dispatches", "gateway", "ledger", "sessions", "energy", "meters"], "ok"
    )
    for substation in report["sites"]:
        assert substation["kwh"] == pytest.approx(substation["ledger_kwh"])
        assert substation["kwh"] == pytest.approx(substation["metered_kwh"])
    # A second run counts from where the first one ended.
    again = Running(grid.url, tmp_path / "b.json", *FEW).report()
    assert sum(substation["ledger_kwh"] for substation in again["sites"]) == pytest.approx(300)


def test_asynchronous_sessions_are_followed_to_their_own_end(grid: Grid, tmp_path: Path) -> None:
    few = ("--vehicles", "30", "--rate", "6", "--kwh", "10", "--arrivals", "even")
    report = Running(grid.url, tmp_path / "a.json", *few, "--async").report()
    assert report["answers"] == {"202": 30}
    assert report["vehicles"]["charged"] == 30
    # 2 s each, and 12 of 16 points taken: what asking seldom adds is not in it.
    assert 1.9 < report["time_to_charge_s"]["p50"] < 2.6
    assert report["delay_s"]["p50"] < 0.4
    assert set(findings(report).values()) == {"ok"}


@pytest.mark.parametrize(("held", "status"), [((), "200"), (("--async",), "202")])
def test_vehicles_with_keys_outlast_a_gateway_that_is_killed(
    grid: Grid, tmp_path: Path, held: tuple[str, ...], status: str
) -> None:
    options = ("--vehicles", "60", "--rate", "10", "--kwh", "10", "--idempotent", *held)
    run = Running(grid.url, tmp_path / "a.json", *options)
    wait_until(grid, "charging", 10)
    grid.gateway.kill()
    time.sleep(0.5)  # vehicles come meanwhile
    grid.gateway.start()
    report = run.report()
    assert (report["vehicles"]["charged"], report["answers"]) == (60, {status: 60})
    # Those that were held came back, those that were due meanwhile were refused at first.
    assert report["vehicles"]["retries"] >= (1 if held else 10)
    found = findings(report)
    assert (found["ledger"], found["meters"], found["sessions"]) == ("ok", "ok", "ok")
    assert sum(substation["metered_kwh"] for substation in report["sites"]) == pytest.approx(600)


def test_vehicles_that_are_moved_are_reconciled_by_their_legs(grid: Grid, tmp_path: Path) -> None:
    each = tmp_path / "each.csv"
    options = ("--vehicles", "8", "--rate", "50", "--kwh", "30", "--each", str(each))
    run = Running(grid.url, tmp_path / "a.json", *options, "--idempotent", "--async")
    wait_until(grid, "charging", 8)
    time.sleep(1)
    grid.substations[1].kill()
    time.sleep(4)  # its vehicles are charged elsewhere by then
    grid.substations[1].start()
    report = run.report()
    assert report["vehicles"]["charged"] == 8
    moved = [row for row in each.read_text().splitlines() if "substation1=" in row]
    assert any("substation2=" in row for row in moved)
    assert findings(report)["ledger"] == "ok"
    assert findings(report)["meters"] == "ok"
    first, second = report["sites"]
    assert first["kwh"] + second["kwh"] == pytest.approx(240)
    assert 0 < second["kwh"] == pytest.approx(second["metered_kwh"])


def test_a_session_that_an_operator_stopped_is_reported_and_its_energy_agrees(
    grid: Grid, tmp_path: Path
) -> None:
    options = ("--vehicles", "4", "--rate", "50", "--kwh", "30", "--async")
    run = Running(grid.url, tmp_path / "a.json", *options)
    wait_until(grid, "charging", 4)
    time.sleep(0.5)
    [first, *_] = requests.get(f"{grid.url}/sessions", timeout=5).json()["sessions"]
    requests.delete(f"{grid.url}/sessions/{first['session_id']}", timeout=20).raise_for_status()
    report = run.report(status=1)
    assert (report["vehicles"]["stopped"], report["vehicles"]["charged"]) == (1, 3)
    assert report["reasons"][0]["reason"] == "stopped by its caller"
    found = findings(report)
    assert (found["ledger"], found["meters"], found["energy"]) == ("ok", "ok", "ok")
