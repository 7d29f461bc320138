"""`make run` as a person has it: the program starts the grid, tells where it is, and stops it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local_stack.grid import Ports
from local_stack.process import ROOT
from tests.deadline import eventually

Stack = tuple["subprocess.Popen[str]", str]


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    ports = Ports.free(1)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "local_stack", "--no-prometheus", "--folder", str(folder)),
            *("--gateway-port", str(ports.gateway), "--balancer-port", str(ports.balancer)),
            *("--substation-port", str(ports.substations[0]), "--points", "2", *options),
        ],
        cwd=ROOT,
        env={**os.environ, "TIME_SCALE": "720"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A running stack of one substation, and the URL that it tells."""
    process = start(tmp_path)
    assert process.stdout
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    told = re.search(r"gateway +(\S+)", said)
    assert told, said
    yield process, told[1]
    process.terminate()  # SIGKILL would leave the grid's own processes running
    process.wait(timeout=20)


def is_gone(url: str) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/healthz", timeout=2)


def test_it_tells_where_the_grid_is_and_the_grid_charges(stack: Stack) -> None:
    _, url = stack

    assert requests.post(f"{url}/charge", timeout=10).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_finishes_the_vehicles_and_leaves_nothing_running(
    stack: Stack, number: signal.Signals
) -> None:
    process, url = stack
    charging = subprocess.Popen(
        [sys.executable, "-c", f"import requests; print(requests.post({url!r} + '/charge'))"],
        stdout=subprocess.PIPE,
        text=True,
    )

    def is_charging() -> None:
        site = requests.get(f"{url}/substations", timeout=5).json()["substations"][0]
        assert site["load"] == 1

    eventually(is_charging)
    process.send_signal(number)

    assert "[200]" in charging.communicate(timeout=20)[0]
    assert process.wait(timeout=20) == 0
    assert process.stdout
    assert process.stdout.read().endswith("Stopped.\n")
    is_gone(url)


def test_signals_in_quick_succession_do_not_hang_it(stack: Stack) -> None:
    process, url = stack

    for _ in range(20):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)

    assert process.wait(timeout=20) == 0
    is_gone(url)


def test_a_port_that_is_taken_is_named_with_the_remedy(stack: Stack, tmp_path: Path) -> None:
    _, url = stack
    taken = url.rpartition(":")[2]

    second = start(tmp_path / "second", "--gateway-port", taken)

    said, _ = second.communicate(timeout=20)
    assert second.returncode == 1
    assert f"port {taken} for charge_request_service is taken" in said
    assert "--help" in said
