"""Several balancers behind one gateway: a list of URLs, and one name with several addresses."""

import ctypes
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from local_stack.grid import Grid, Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartGrid
from tests.support.commands import run_module
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.loads import wait_for_load

_RESOLVER = "libnss_wrapper.so"  # looks names up in a file that it is given
_POINTS = (20, 20)


def charged_through(grid: Grid) -> list[int]:
    """Count the vehicles that each balancer has answered."""
    return [
        int(
            scrape(one.url).get(
                'http_requests_total{method="POST",route="/charge",status="200"}', 0
            )
        )
        for one in grid.balancers
    ]


def logged(process: Process, event: str) -> Callable[[], None]:
    def is_logged() -> None:
        assert f'"event":"{event}"' in process.log_file.read_text()

    return is_logged


def test_vehicles_are_spread_over_all_balancers(start_grid: StartGrid) -> None:
    grid = start_grid(_POINTS, balancer_count=3)

    fleet = Fleet(grid.url, kwh=1).send(60, rate=40).wait()

    assert fleet.statuses() == {200: 60}, fleet.troubles()
    shares = charged_through(grid)
    assert sum(shares) == 60
    assert min(shares) >= 15, shares


def test_a_frozen_balancer_is_noticed_though_its_twins_answer(start_grid: StartGrid) -> None:
    grid = start_grid(_POINTS, balancer_count=3)
    held = Fleet(grid.url, kwh=60).send(9)  # 12 s each
    wait_for_load(9, *grid.substations)
    grid.balancers[1].freeze()
    frozen = time.monotonic()

    eventually(logged(grid.gateway, "balancer silent"), 6)
    assert time.monotonic() - frozen < 4.5
    late = Fleet(grid.url, kwh=1).send(20, rate=20).wait(8)

    assert late.statuses() == {200: 20}, late.troubles()
    grid.balancers[1].thaw()
    held.wait(40)


def test_new_vehicles_go_elsewhere_before_a_frozen_balancer_is_silent(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(_POINTS, balancer_count=2)
    Fleet(grid.url, kwh=60).send(4)
    wait_for_load(4, *grid.substations)
    grid.balancers[1].freeze()
    time.sleep(2.2)  # one check has gone unanswered by then

    late = Fleet(grid.url, kwh=1).send(10, rate=20).wait(8)

    assert late.statuses() == {200: 10}, late.troubles()
    grid.balancers[1].thaw()


def test_a_killed_balancer_is_left_out_and_used_again_once_it_is_back(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(_POINTS, balancer_count=2)
    grid.balancers[0].kill()
    time.sleep(0.2)  # its connections are closed by now, and nothing is sent on one

    fleet = Fleet(grid.url, kwh=1).send(20, rate=40).wait()
    assert fleet.statuses() == {200: 20}, fleet.troubles()

    grid.balancers[0].start()
    grid.balancers[0].wait_until(grid.balancers[0].missing, 20)
    time.sleep(1.5)
    Fleet(grid.url, kwh=1).send(20, rate=40).wait()
    before, after = charged_through(grid)
    assert before >= 7, (before, after)


def test_a_balancer_that_drains_gets_nothing_new_while_another_is_there(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(_POINTS, balancer_count=2)
    held = Fleet(grid.url, kwh=30).send(4)  # 6 s each
    wait_for_load(4, *grid.substations)
    os.kill(grid.balancers[0].pid, signal.SIGTERM)

    late = Fleet(grid.url, kwh=1).send(20, rate=20).wait()

    assert late.statuses() == {200: 20}, late.troubles()
    assert max(session.answered - session.sent for session in late.sessions) < 1
    assert held.wait().statuses() == {200: 4}, held.troubles()


def test_all_addresses_of_a_name_are_used_and_new_ones_within_five_seconds(
    start_grid: StartGrid, tmp_path: Path
) -> None:
    try:
        ctypes.CDLL(_RESOLVER)
    except OSError:
        pytest.skip(f"{_RESOLVER} is not installed")
    ports, hosts = Ports.free(len(_POINTS)), tmp_path / "hosts"

    def lead_to(*numbers: int) -> None:
        lines = "".join(f"127.0.0.{number} balancer.invalid\n" for number in numbers)
        hosts.with_suffix(".new").write_text(lines)
        hosts.with_suffix(".new").rename(hosts)

    lead_to(1, 2)
    grid = start_grid(
        _POINTS,
        ports=ports,
        balancer_count=3,
        gateway_env={
            "LD_PRELOAD": _RESOLVER,
            "NSS_WRAPPER_HOSTS": str(hosts),
            "BALANCER_URL": f"http://balancer.invalid:{ports.balancer}",
        },
    )
    Fleet(grid.url, kwh=1).send(20, rate=40).wait()
    first = charged_through(grid)
    assert min(first[:2]) >= 7, first
    assert first[2] == 0, first

    lead_to(2, 3)  # a rolling update: the first is gone, another is there
    time.sleep(3)
    fleet = Fleet(grid.url, kwh=1).send(20, rate=40).wait()

    assert fleet.statuses() == {200: 20}, fleet.troubles()
    second = [now - then for now, then in zip(charged_through(grid), first, strict=True)]
    assert second[0] == 0, second
    assert min(second[1:]) >= 7, second


def test_a_session_is_found_and_stopped_whichever_balancer_leads_it(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(_POINTS, balancer_count=3)
    locations = []
    for number in range(6):
        answer = requests.post(
            f"{grid.url}/charge",
            json={"kwh": 100},
            headers={"Prefer": "respond-async", "Idempotency-Key": f"key-{number}"},
            timeout=5,
        )
        locations.append(answer.headers["Location"])
    wait_for_load(6, *grid.substations)

    shown = [requests.get(f"{grid.url}{one}", timeout=5).json() for one in locations]
    assert Counter(one["state"] for one in shown) == {"charging": 6}
    assert all(one["power_kw"] for one in shown)
    listed = requests.get(f"{grid.url}/sessions?state=charging", timeout=5).json()["sessions"]
    assert len(listed) == 6
    for one in locations:
        stopped = requests.delete(f"{grid.url}{one}", timeout=10)
        assert stopped.json()["state"] == "stopped", stopped.text
    wait_for_load(0, *grid.substations)


def test_a_substation_is_drained_at_every_balancer(start_grid: StartGrid) -> None:
    grid = start_grid(_POINTS, balancer_count=3)

    answer = requests.put(f"{grid.url}/substations/substation1/drain", timeout=5)

    assert answer.status_code == 200, answer.text
    for balancer in grid.balancers:
        substations = {
            one["name"]: one for one in grid.get("/substations", of=balancer)["substations"]
        }
        assert substations["substation1"]["health"] == "draining"


def test_the_load_tester_s_verdict_holds_with_several_balancers(
    start_grid: StartGrid,
) -> None:
    grid = start_grid((8, 8), balancer_count=3)

    rush = ("--vehicles", "60", "--rate", "20", "--kwh", "3")
    done = run_module("load_tester", "--url", grid.url, *rush)

    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert "each of 60 charged vehicles was dispatched" in said
    assert re.search(r"sent over capacity +0 times", said), said
    listed = requests.get(f"{grid.url}/balancers", timeout=5).json()["balancers"]
    assert [(one["url"], one["held"], one["well"]) for one in listed] == [
        (one.url, 0, True) for one in grid.balancers
    ]
