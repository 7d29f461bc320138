"""The load tester with a real balancer and real, different substations."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_stack.process import Process
from tests.conftest import StartService
from tests.support.balancer import start_balancer, wait_for_health
from tests.support.commands import run_module


@pytest.fixture
def balancer(start_service: StartService) -> Process:
    hub = {"CHARGING_POINTS": 12, "POINT_POWER_KW": 50, "POWER_LIMIT_KW": 300}
    motorway = {"CHARGING_POINTS": 4, "POINT_POWER_KW": 350, "POWER_LIMIT_KW": 700}
    substations = [
        start_service("substation_service", TIME_SCALE=3600, **one) for one in (hub, motorway)
    ]
    started = start_balancer(start_service, *(substation.url for substation in substations))
    for name in ("substation1", "substation2"):
        wait_for_health(started, name, "up")
    return started


def load_test(balancer: Process, folder: Path, *options: str) -> dict[str, Any]:
    file = folder / "result.json"
    done = run_module("load_tester", "--url", balancer.url, "--json", file, *options, within_s=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "slowdown" in done.stdout
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_different_vehicles_are_charged_and_their_powers_and_slowdown_reported(
    balancer: Process, tmp_path: Path
) -> None:
    found = load_test(balancer, tmp_path, "--mix", "fast", "--vehicles", "40", "--rate", "10")
    power = found["power"]
    assert found["vehicles"]["charged"] == 40
    assert power["kwh"] == pytest.approx(found["scenario"]["kwh"])
    assert power["points"] == [[350, 3600]]
    # Nobody draws more than it takes, and 11 kW is the least that any does.
    assert 250 >= power["peak_power_kw"]["max"] > 50 > 11 >= power["mean_power_kw"]["p50"] / 25
    assert power["slowdown"]["p50"] >= 1


def test_one_vehicle_alone_has_next_to_no_slowdown(balancer: Process, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival,kwh,max_power_kw,battery_kwh,soc\n0,45,20,90,0.5\n", encoding="utf-8")
    power = load_test(balancer, tmp_path, "--trace", str(trace))["power"]
    # 30 kWh at 20 kW, and 15 kWh while that falls to the tenth: 3.4 hours, 3.4 s.
    assert power["peak_power_kw"]["max"] == 20
    assert 10 < power["mean_power_kw"]["mean"] < 18
    assert power["slowdown"]["mean"] == pytest.approx(1, abs=0.08)
    alone = load_test(balancer, tmp_path, "--trace", str(trace), "--mix", "none")["power"]
    assert alone["peak_power_kw"]["max"] == pytest.approx(350)
