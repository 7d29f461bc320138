"""Substations that others built, each with its own ways, behind one balancer."""

import json
import re
import tomllib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.integration.conftest import StartFieldSubstation
from tests.support.balancer import (
    start_balancer,
    start_ready_balancer,
    substations,
    wait_for_health,
)
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.own_substations import ACCEPTING, KINDS, POINTS, OwnWays, examples


def start(start_service: StartService, file: Path, **settings: object) -> Process:
    return start_service("load_balancer", path="/healthz", SUBSTATIONS_FILE=file, **settings)


def log_lines(process: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.log_file.read_text().splitlines()]


def decisions(balancer: Process) -> list[dict[str, Any]]:
    answer = requests.get(f"{balancer.url}/decisions", timeout=5).json()
    found: list[dict[str, Any]] = answer["decisions"]
    return found


def test_every_example_of_the_page_has_a_substation_of_its_kind() -> None:
    named = [name for one in examples() for name in tomllib.loads(one)["substations"]]
    assert [*KINDS, "east", "west"] == named


@pytest.mark.parametrize("name", KINDS)
def test_an_example_of_the_page_charges_vehicles_at_a_substation_of_its_kind(
    name: str,
    start_service: StartService,
    start_field_substation: StartFieldSubstation,
    tmp_path: Path,
) -> None:
    grid = OwnWays(start_field_substation, charge_s=0.5, names=[name])
    file = tmp_path / "substations.toml"
    file.write_text(grid.file)
    balancer = start(start_service, file, MAX_POINT_POWER_KW=1e6)
    wait_for_health(balancer, name, "up")

    fleet = Fleet(balancer.url).send(2 * POINTS + 1).wait()

    assert fleet.statuses() == {202 if name in ACCEPTING else 200: 2 * POINTS + 1}
    assert grid.figure(name, "peak") == POINTS
    assert substations(balancer)[name]["capacity"] == POINTS
    assert substations(balancer)[name]["warning"] is None


def test_substations_of_every_kind_share_the_vehicles_and_stand_in_for_each_other(
    start_service: StartService, start_field_substation: StartFieldSubstation, tmp_path: Path
) -> None:
    grid = OwnWays(start_field_substation, charge_s=1)
    file = tmp_path / "substations.toml"
    file.write_text(grid.file)
    balancer = start(start_service, file, MAX_POINT_POWER_KW=1e6, POLL_INTERVAL=1)
    for name in KINDS:
        wait_for_health(balancer, name, "up")

    crowd = Fleet(balancer.url).send(5 * POINTS * len(KINDS), rate=30).wait()

    assert set(crowd.statuses()) == {200, 202}, crowd.troubles()
    for one in decisions(balancer):
        scores = {each["substation"]: each["score"] for each in one["candidates"]}
        assert scores[one["substation"]] == min(scores.values()), one
        assert all(each["load"] < each["capacity"] == POINTS for each in one["candidates"]), one
    chosen = Counter(one["substation"] for one in decisions(balancer))
    assert min(chosen[name] for name in KINDS) >= POINTS, chosen
    assert {name: grid.figure(name, "peak") for name in KINDS} == dict.fromkeys(KINDS, POINTS)

    for name in KINDS:
        eventually(lambda: assert_idle(balancer), 15)
        before = Fleet(balancer.url).send(2 * len(KINDS))
        eventually(partial(assert_busy, balancer, name), every_s=0.01)
        grid.substations[name].kill()
        after = Fleet(balancer.url).send(len(KINDS))
        assert set(before.wait().statuses() + after.wait().statuses()) <= {200, 202}
        assert name not in after.by_substation()
        wait_for_health(balancer, name, "down")
        grid.substations[name].start()
        wait_for_health(balancer, name, "up", within_s=15)
        ended = scrape(balancer.url)
        assert ended[f'balancer_dispatches_total{{outcome="failed",substation="{name}"}}'] >= 1
    assert max(grid.figure(name, "peak") for name in KINDS) <= POINTS
    assert all(substation["warning"] is None for substation in substations(balancer).values())


def assert_busy(balancer: Process, name: str) -> None:
    assert substations(balancer)[name]["own_load"] > 0


def assert_idle(balancer: Process) -> None:
    assert all(substation["load"] == 0 for substation in substations(balancer).values())


def test_the_file_is_followed_and_a_bad_edit_keeps_the_last_good_one(
    start_service: StartService, start_field_substation: StartFieldSubstation, tmp_path: Path
) -> None:
    first = start_field_substation(page=f"a {{load}}\nb {POINTS}\n", charge_s=3)
    second = start_field_substation(page="substation_current_load {load}\n", charge_s=0.1)
    file = tmp_path / "substations.toml"
    table = f'[substations.first]\nurl = "{first.url}"\ngauge_name = "a"\n'
    file.write_text(f'{table}capacity_gauge_name = "b"\n')
    balancer = start(start_service, file, MAX_POINT_POWER_KW=1e6)
    wait_for_health(balancer, "first", "up")
    charging = Fleet(balancer.url).send(1)
    eventually(lambda: assert_load(balancer, "first", 1), 5)

    file.write_text(
        f"{table}default_capacity = 7\n"
        f'[substations.second]\nurl = "{second.url}"\ndefault_capacity = 20\n'
    )
    wait_for_health(balancer, "second", "up")
    eventually(lambda: assert_capacity(balancer, "first", 7), 5)
    assert Fleet(balancer.url).send(1).wait().by_substation() == {"second": 1}

    file.write_text(f"{table}metrics_port = 99999\n")
    problem = eventually(lambda: problem_of(balancer), 5)
    assert "[substations.first] metrics_port = 99999 cannot be used" in problem
    assert str(file) in problem
    assert scrape(balancer.url)["balancer_config_last_reload_successful"] == 0
    assert set(substations(balancer)) == {"first", "second"}

    file.write_text(f"{table}default_capacity = 7\n")
    eventually(lambda: assert_names(balancer, {"first"}), 5)
    assert scrape(balancer.url)["balancer_config_last_reload_successful"] == 1
    assert charging.wait().by_substation() == {"first": 1}  # whatever changed meanwhile
    reported = [line["event"] for line in log_lines(balancer)]
    assert reported.count("substations reloaded") == 2
    assert reported.count("substations not reloaded") == 1


def assert_load(balancer: Process, name: str, load: int) -> None:
    assert substations(balancer)[name]["load"] == load


def assert_capacity(balancer: Process, name: str, capacity: int) -> None:
    assert substations(balancer)[name]["capacity"] == capacity


def assert_names(balancer: Process, names: set[str]) -> None:
    assert set(substations(balancer)) == names


def problem_of(balancer: Process) -> str:
    problem = requests.get(f"{balancer.url}/substations", timeout=5).json()["configuration_problem"]
    assert problem is not None
    return str(problem)


def test_a_substation_that_is_charged_before_it_can_be_gets_one_warning(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    substation = start_field_substation(
        page="substation_current_load {load}\nsubstation_capacity 4\n",
        answers_at_start=True,
        charge_s=1,
    )
    balancer = start_ready_balancer(start_service, substation.url)

    assert Fleet(balancer.url, kwh=40).send(3).wait().statuses() == {200: 3}

    warning = substations(balancer)["substation1"]["warning"]
    assert 'answer = "accepted"' in warning
    assert re.search(r"40 kWh as charged after \S+ s, for which 1000 kW need 144 s", warning)
    assert scrape(balancer.url)['balancer_too_fast_charges_total{substation="substation1"}'] == 3
    reported = [line for line in log_lines(balancer) if line["event"] == "charged too fast"]
    assert [line["why"] for line in reported] == [warning]
    assert [line["substation"] for line in reported] == ["substation1"]


@pytest.mark.parametrize("time_scale", [360, 1e9])
def test_the_grids_own_substations_are_never_too_fast(
    start_service: StartService, time_scale: float
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=50, TIME_SCALE=time_scale)
    balancer = start_ready_balancer(start_service, substation.url)

    fleet = Fleet(balancer.url, kwh=lambda number: 0.001 if number % 2 else 10).send(40).wait()

    assert fleet.statuses() == {200: 40}
    assert substations(balancer)["substation1"]["warning"] is None
    assert scrape(balancer.url)['balancer_too_fast_charges_total{substation="substation1"}'] == 0


def test_a_page_without_a_capacity_says_what_to_set_wherever_one_looks(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    substation = start_field_substation(page="substation_current_load {load}\n")
    balancer = start_balancer(start_service, substation.url, METRICS_PORT="")

    remedy = "set DEFAULT_CAPACITY, or default_capacity in SUBSTATIONS_FILE"
    assert remedy in wait_for_health(balancer, "substation1", "down")["reason"]
    answer = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=0.2"}, timeout=10)
    assert answer.status_code == 503
    assert remedy in answer.json()["detail"]
    changes = [line for line in log_lines(balancer) if line["event"] == "health changed"]
    assert remedy in changes[0]["reason"]


def test_a_vehicle_that_all_rejected_is_reported_what_they_answered(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    page = "substation_current_load {load}\nsubstation_capacity 4\n"
    urls = [
        start_field_substation(page=page, charge_path="/elsewhere").url,
        start_field_substation(page=page, body={"ev_id": '".+"'}, charge_path="/charge").url,
    ]
    balancer = start_ready_balancer(start_service, *urls)

    answer = requests.post(f"{balancer.url}/charge", timeout=10)

    assert answer.status_code == 503
    assert answer.json()["type"].endswith(":rejected")
    reported = answer.json()["detail"]
    assert "substation1 answered 404 Not Found: 'no such path'" in reported
    assert "substation2 answered 422 Unprocessable" in reported  # which its own words follow
    assert "'ev_id is missing or wrong'" in reported


def test_a_substation_is_called_by_the_name_that_it_was_given(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    """As where one proxy stands before several of them, and tells them apart by name."""
    metrics_port = Ports.free(0).balancer
    substation = start_field_substation(
        page="substation_current_load {load}\nsubstation_capacity 4\n",
        metrics_port=metrics_port,
        host=r"localhost:\d+",
    )
    balancer = start_balancer(
        start_service, f"http://localhost:{substation.port}", METRICS_PORT=metrics_port
    )

    wait_for_health(balancer, "substation1", "up")
    assert requests.post(f"{balancer.url}/charge", timeout=10).status_code == 200


def test_the_examples_of_the_page_differ_in_their_addresses() -> None:
    urls = re.findall(r'url = "(.*)"', "".join(examples()))
    assert len(set(urls)) == len(urls)
