"""Parts that die while `make run` runs: they are started again, and no vehicle is lost."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.local.conftest import StartProgram
from tests.e2e.local.program import Program
from tests.support.deadline import eventually


def substations(program: Program) -> dict[str, str]:
    found = requests.get(f"{program.url}/substations", timeout=5).json()["substations"]
    return {substation["name"]: substation["health"] for substation in found}


def are_up(program: Program, count: int) -> None:
    assert list(substations(program).values()) == ["up"] * count


def test_vehicles_of_a_substation_that_is_killed_all_charge_and_it_comes_back(
    start_program: StartProgram, tmp_path: Path
) -> None:
    # The load tester checks the meters, too: energy of the killed substation stays reserved for as
    # long as a crowded machine needs to start it again.
    settings = {"TIME_SCALE": "360", "LAST_WORD_WAIT": "30"}
    program = start_program(points="4,8,12", env=settings).is_up()
    file = tmp_path / "report.json"
    load = subprocess.Popen(
        [
            *(sys.executable, "-m", "load_tester", "--url", program.url, "--json", str(file)),
            *("--vehicles", "200", "--rate", "20"),
        ],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(4)
    assert load.poll() is None

    program.kill_listeners(program.ports.substations[1])

    assert load.wait(60) == 0
    report: dict[str, Any] = json.loads(file.read_text())
    assert report["vehicles"]["charged"] == 200
    program.says(
        r"substation2 was killed by SIGKILL\. It will be restarted in 0\.5 s \(restart 1 of 5\)\."
    )
    program.says(r"substation2 is ready again\.")
    eventually(lambda: are_up(program, 3))


@pytest.mark.parametrize("part", ["load_balancer", "charge_request_service"])
def test_every_part_is_started_again(start_program: StartProgram, part: str) -> None:
    program = start_program().is_up()
    ports = program.ports

    program.kill_listeners(ports.balancer if part == "load_balancer" else ports.gateway)

    program.says(rf"{part} is ready again\.", 20)
    assert requests.post(f"{program.url}/charge", timeout=10).status_code == 200


def test_a_part_can_be_left_down(start_program: StartProgram) -> None:
    program = start_program("--no-restart", points="2,2").is_up()

    program.kill_listeners(program.ports.substations[0])

    program.says(r"substation1 was killed by SIGKILL\. It stays down\.")
    time.sleep(2)
    assert requests.post(f"{program.url}/charge", timeout=10).json()["substation"] == "substation2"
    assert substations(program)["substation1"] == "down"
    assert program.ends(signal.SIGINT) == 0
    assert program.said().endswith("Stopped.\n")
    program.leaves_nothing()


def test_it_stops_cleanly_while_a_part_waits_to_be_started(start_program: StartProgram) -> None:
    program = start_program().is_up()

    program.kill_listeners(program.ports.balancer)
    program.says("load_balancer was killed by SIGKILL")

    assert program.ends(signal.SIGINT) == 0
    assert program.said().endswith("Stopped.\n")
    program.leaves_nothing()


@pytest.mark.long
def test_a_part_that_cannot_start_is_given_up_and_the_rest_stays(
    start_program: StartProgram,
) -> None:
    program = start_program(points="2,2").is_up()
    port = program.ports.substations[0]
    program.kill_listeners(port)
    with socket.socket() as squatter:  # in the half second before it is started again
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        eventually(lambda: squatter.bind(("127.0.0.1", port)))
        squatter.listen()

        program.says(
            r"substation1 ended with exit status \d+\. It stays down after 5 restarts; "
            r"its log ends with:\n(.*\n)*.*Address already in use",
            within_s=100,
        )

    pauses = [f"restarted in {pause} s" for pause in ("0.5", "1", "2", "4", "8")]
    reported = program.said()
    assert [reported.count(pause) for pause in pauses] == [1] * 5
    assert requests.post(f"{program.url}/charge", timeout=10).json()["substation"] == "substation2"
    assert program.ends(signal.SIGINT) == 0
    program.leaves_nothing()
