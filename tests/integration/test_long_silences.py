"""A service that was frozen is not taken for hung, nor a caller that vanished for a quiet one."""

import os
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import start_ready_balancer
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.memory import family


def test_a_service_that_its_supervisor_takes_for_hung_keeps_its_vehicles(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service")
    fleet = Fleet(substation.url).send(3)

    def three_charge() -> None:
        assert scrape(substation.url)["substation_current_load"] == 3

    eventually(three_charge)
    for pid in family(substation.pid)[1:]:
        # What gunicorn does to a worker that was silent for 30 s; both may have been frozen.
        os.kill(pid, signal.SIGABRT)

    assert fleet.wait().statuses() == {200: 3}, fleet.troubles()


class Timer(NamedTuple):
    """What the kernel waits for on a connection."""

    local_port: int
    remote_port: int
    is_keep_alive: bool
    due_s: float


def timers() -> list[Timer]:
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _state, _queues, timer, *_ = line.split()
        kind, due = timer.split(":")
        due_s = int(due, 16) / os.sysconf("SC_CLK_TCK")
        found.append(Timer(port(local), port(remote), kind == "02", due_s))
    return found


def port(address: str) -> int:
    return int(address.split(":")[1], 16)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel is not Linux")
def test_the_kernel_soon_asks_whether_the_callers_of_held_connections_are_there(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service")
    balancer = start_ready_balancer(start_service, substation.url)
    fleet = Fleet(balancer.url, kwh=5).send(1)
    # The ends that accepted: the substation's, and the one at which the balancer holds its caller.
    ports = {substation.port, balancer.port}

    def are_held() -> list[Timer]:
        found = [one for one in timers() if one.is_keep_alive and one.local_port in ports]
        assert {timer.local_port for timer in found} == ports
        return found

    held = eventually(are_held)
    assert max(timer.due_s for timer in held) <= 15
    assert fleet.wait().statuses() == {200: 1}
