"""One process holds a service's state, whatever signals its supervisor gets."""

import json
import os
import pty
import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import requests

from local_stack.grid import Ports
from local_stack.process import ROOT, Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.loads import load_of, wait_for_load
from tests.support.memory import family

POINTS = 2
INELIGIBLE = [
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGWINCH,
    signal.SIGCHLD,
]
TARGETS = ("master", "worker", "both")


def full_substation(start_service: StartService, kwh: float) -> tuple[Process, Fleet]:
    """Start a substation, and have a vehicle charge at each of its points; 1 kWh takes 0.2 s."""
    substation = start_service("substation_service", CHARGING_POINTS=POINTS, TIME_SCALE=360)
    fleet = Fleet(substation.url, kwh=kwh).send(POINTS)
    wait_for_load(POINTS, substation)
    return substation, fleet


def limit_power(substation: Process, limit_kw: float) -> None:
    limit = {"power_limit_kw": limit_kw}
    answer = requests.put(f"{substation.url}/power-limit", json=limit, timeout=5)
    assert answer.status_code == 200, answer.text


def tell(substation: Process, number: int, target: str) -> None:
    """Send a signal to gunicorn's master, to its worker, or to both as a terminal does."""
    master, worker = family(substation.pid)
    if target == "both":
        os.killpg(substation.pid, number)
    else:
        os.kill(master if target == "master" else worker, number)


@pytest.mark.parametrize("number", INELIGIBLE, ids=lambda number: number.name)
def test_a_full_substation_keeps_its_one_state(
    start_service: StartService, number: signal.Signals
) -> None:
    substation, fleet = full_substation(start_service, kwh=2)
    limit_power(substation, 0)  # none is done before the end, however long this takes
    before = family(substation.pid)

    for target in TARGETS:
        tell(substation, number, target)
    for _ in range(5):
        time.sleep(0.3)
        assert family(substation.pid) == before
        too_many = requests.post(f"{substation.url}/charge", json={"kwh": 1}, timeout=5)
        assert too_many.status_code == 503
        assert too_many.json()["type"].endswith(":full")
        assert load_of(substation) == POINTS

    limit_power(substation, 1e9)
    assert fleet.wait().statuses() == {200: POINTS}
    assert scrape(substation.url)['substation_sessions_total{outcome="charged"}'] == POINTS
    assert family(substation.pid) == before
    assert substation.stop() == 0


def test_what_is_passed_over_is_logged_with_what_to_do(start_service: StartService) -> None:
    substation = start_service("substation_service")
    tell(substation, signal.SIGHUP, "master")

    def is_logged() -> None:
        events = [
            json.loads(line)["event"] for line in substation.log_file.read_text().splitlines()
        ]
        assert any("SIGHUP" in event and "restart" in event for event in events), events

    eventually(is_logged)


@pytest.mark.parametrize("target", ["master", "both"])
def test_sigterm_finishes_what_charges(start_service: StartService, target: str) -> None:
    substation, fleet = full_substation(start_service, kwh=8)
    tell(substation, signal.SIGTERM, target)
    assert fleet.wait().statuses() == {200: POINTS}
    eventually(lambda: has_ended(substation))
    assert substation.stop() == 0


def has_ended(substation: Process) -> None:
    assert not substation.running
    with closing(socket.socket()) as caller:
        assert caller.connect_ex(("127.0.0.1", substation.port)) != 0  # nobody listens any more


def were_stopped(fleet: Fleet) -> None:
    """Each vehicle was told what it got, and why no more."""
    assert fleet.wait().statuses() == {200: POINTS}
    for session in fleet.sessions:
        assert (session.document["status"], session.document["reason"]) == ("stopped", "shut down")
        assert 0 < session.document["energy_kwh"] < session.document["kwh"]


@pytest.mark.parametrize("target", ["master", "both"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
def test_sigint_and_sigquit_stop_at_once(
    start_service: StartService, number: signal.Signals, target: str
) -> None:
    substation, fleet = full_substation(start_service, kwh=200)
    tell(substation, number, target)
    eventually(lambda: has_ended(substation), within_s=10)
    were_stopped(fleet)
    assert substation.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_master_that_is_ended_takes_its_worker_along(
    start_service: StartService, number: signal.Signals
) -> None:
    substation, fleet = full_substation(start_service, kwh=200)
    tell(substation, number, "master")
    eventually(lambda: has_ended(substation), within_s=10)
    were_stopped(fleet)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_worker_that_ends_is_replaced_and_there_are_never_two(
    start_service: StartService, number: signal.Signals
) -> None:
    substation, fleet = full_substation(start_service, kwh=8)
    before = family(substation.pid)
    tell(substation, number, "worker")

    def is_followed() -> None:
        now = family(substation.pid)
        assert len(now) == 2, now
        assert now != before
        assert substation.answers("/readyz") is None

    most = 0
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        most = max(most, len(family(substation.pid)))
        time.sleep(0.02)
    assert most == 2
    eventually(is_followed, within_s=10)
    assert fleet.wait().statuses() == {200 if number == signal.SIGTERM else 0: POINTS}
    assert load_of(substation) == 0


def test_a_closed_terminal_stops_a_service_that_was_started_at_it(tmp_path: Path) -> None:
    port = Ports.free(0).gateway
    env = {**os.environ, "PORT": str(port), "LOG_FORMAT": "json", "TIME_SCALE": "360"}
    command = [sys.executable, "-m", "substation_service"]
    substation = Process("substation", command, env=env, port=port, log=tmp_path / "log")
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(ROOT)
        os.execve(command[0], command, env)  # noqa: S606 - the project's own program
    try:
        eventually(lambda: is_ready(substation), within_s=20)
        fleet = Fleet(substation.url, kwh=5).send(1)
        wait_for_load(1, substation)
        os.close(terminal)  # the kernel sends SIGHUP
        assert fleet.wait().statuses() == {200: 1}

        def is_over() -> int:
            ended, status = os.waitpid(pid, os.WNOHANG)
            assert ended
            return status

        assert os.waitstatus_to_exitcode(eventually(is_over, within_s=10)) == 0
        has_ended(substation)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        raise


def is_ready(substation: Process) -> None:
    assert substation.answers("/readyz") is None
