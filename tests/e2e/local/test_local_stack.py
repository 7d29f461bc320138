"""`make run` for a user: the program starts the grid, prints its addresses, and stops it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from local_stack.grid import Ports
from local_stack.process import ROOT
from tests.e2e.local.conftest import StartProgram
from tests.e2e.local.program import UP, Program
from tests.integration.sessions.conftest import a_server
from tests.support.api_keys import add_key
from tests.support.deadline import eventually

_ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def is_gone(program: Program) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{program.url}/healthz", timeout=2)
    program.leaves_nothing()


def read_until_up(file: int) -> None:
    said = b""
    while UP.encode() not in said:
        said += os.read(file, 1024)


def charging(program: Program) -> "subprocess.Popen[str]":
    """Send a vehicle, and return once it charges."""
    url = program.url
    sent = subprocess.Popen(
        [sys.executable, "-c", f"import requests; print(requests.post({url!r} + '/charge'))"],
        stdout=subprocess.PIPE,
        text=True,
    )

    def is_charging() -> None:
        substation = requests.get(f"{url}/substations", timeout=5).json()["substations"][0]
        assert substation["load"] == 1

    eventually(is_charging)
    return sent


def test_it_prints_the_grids_addresses_and_misspelt_settings_and_the_grid_charges(
    start_program: StartProgram,
) -> None:
    program = start_program(env={"TIME_SCALES": "60"}).is_up()
    program.says(r"Note: TIME_SCALES is not a setting; did you mean TIME_SCALE\?")

    url = program.says(r"gateway +(\S+)")[1]
    assert requests.post(f"{url}/charge", timeout=10).status_code == 200


def test_it_starts_several_of_each_that_work_as_one(start_program: StartProgram) -> None:
    with a_server() as server:
        program = start_program(
            *("--gateways", "2", "--balancers", "3"), env={"LEDGER_URL": server.new_database()}
        ).is_up()
        first, second = program.says(r"gateway +(\S+), (\S+)").groups()

        charged = requests.post(f"{first}/charge", timeout=10).json()

        def expect_charged() -> None:  # the row of a plain session is written a little later
            session = requests.get(f"{second}/sessions/{charged['session_id']}", timeout=5)
            assert session.json().get("state") == "charged"

        eventually(expect_charged)
        balancers = requests.get(f"{second}/balancers", timeout=5).json()["balancers"]

        assert charged["status"] == "charged"
        assert [balancer["well"] for balancer in balancers] == [True] * 3
        assert program.ends(signal.SIGTERM) == 0
        program.leaves_nothing()


def test_a_load_tester_that_was_started_first_waits_for_the_gateway(
    start_program: StartProgram,
) -> None:
    port = str(Ports.free(0).gateway)
    load = subprocess.Popen(
        [
            *(sys.executable, "-m", "load_tester", "--url", f"http://127.0.0.1:{port}"),
            *("--wait-for-gateway", "60", "--vehicles", "10", "--rate", "10"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert load.stderr
    assert "connection refused; waiting for it" in load.stderr.readline()

    start_program(env={"GATEWAY_PORT": port})

    said, _ = load.communicate(timeout=60)
    assert load.returncode == 0
    assert "10 of 10 vehicles charged" in said


@pytest.mark.parametrize("number", _ENDS)
def test_it_finishes_the_vehicles_and_leaves_nothing_running(
    start_program: StartProgram, number: signal.Signals
) -> None:
    program = start_program().is_up()
    vehicle = charging(program)

    assert program.ends(number) == 0

    assert "[200]" in vehicle.communicate(timeout=20)[0]
    assert program.said().endswith("Stopped.\n")
    is_gone(program)


def test_a_second_ctrl_c_stops_it_at_once(start_program: StartProgram) -> None:
    program = start_program(env={"TIME_SCALE": "1"}).is_up()
    vehicle = charging(program)

    program.popen.send_signal(signal.SIGINT)
    program.says("Stopping")
    assert program.ends(signal.SIGINT, within_s=5) == 0

    assert "[200]" not in vehicle.communicate(timeout=20)[0]
    assert "Traceback" not in program.said()
    is_gone(program)


def test_signals_in_quick_succession_do_not_hang_it(start_program: StartProgram) -> None:
    program = start_program().is_up()

    for _ in range(20):
        program.popen.send_signal(signal.SIGTERM)
        time.sleep(0.01)

    assert program.ends() == 0
    is_gone(program)


@pytest.mark.parametrize("number", _ENDS)
def test_it_can_be_stopped_while_it_starts(
    start_program: StartProgram, number: signal.Signals
) -> None:
    # The balancer finds no gauge there, so that the start does not come to an end.
    program = start_program(env={"METRICS_PATH": "/nowhere"})
    program.says("Starting the grid")
    eventually(lambda: requests.get(f"{program.url}/healthz", timeout=2))

    assert program.ends(number) == 0

    assert program.said().endswith("Stopped before it was ready.\n")
    program.leaves_nothing()


def test_a_port_that_is_taken_is_named_with_the_remedy(start_program: StartProgram) -> None:
    taken = str(start_program().is_up().ports.gateway)

    second = start_program("--gateway-port", taken)

    assert second.ends() == 1
    assert f"port {taken} for charge_request_service is taken" in second.said()
    assert "--help" in second.said()


def test_a_folder_that_another_grid_uses_is_named_with_its_process(
    start_program: StartProgram,
) -> None:
    first = start_program().is_up()

    second = start_program("--folder", str(first.folder / "grid"))

    assert second.ends() == 1
    assert (
        f"{first.folder / 'grid'} is used by another grid (process {first.popen.pid}): stop that "
        "one, or choose another folder with --folder"
    ) in second.said()
    assert requests.post(f"{first.url}/charge", timeout=10).status_code == 200
    # It is free again when its grid is gone, however that ended.
    first.close()
    first.leaves_nothing()
    start_program("--folder", str(first.folder / "grid")).is_up()


def test_the_variables_of_the_compose_file_move_the_gateway(
    start_program: StartProgram, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    key = add_key(keys, "alice")
    port = Ports.free(0).gateway
    moved = {"GATEWAY_PORT": str(port), "GATEWAY_HOST": "0.0.0.0"}  # noqa: S104 - with keys

    refused = start_program(env=moved)
    assert refused.ends() == 1
    assert "BIND_HOST=0.0.0.0 admits other machines" in refused.said()

    program = start_program(env={**moved, "CHARGE_API_KEYS_FILE": str(keys)}).is_up()
    assert program.says(r"gateway +(\S+)")[1] == f"http://127.0.0.1:{port}"
    answer = requests.post(
        f"{program.url}/charge", headers={"Authorization": f"Bearer {key}"}, timeout=10
    )
    assert answer.status_code == 200
    (address,) = {
        link.laddr.ip
        for pid in program.processes()
        for link in psutil.Process(pid).net_connections("tcp")
        if link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == port
    }
    assert address == "0.0.0.0"  # noqa: S104 - as asked for


def test_it_ends_with_its_terminal(start_program: StartProgram) -> None:
    master, terminal = os.openpty()
    device = os.ttyname(terminal)  # the first that a session opens becomes its terminal
    program = start_program(before=f"exec <{device} >{device} 2>&1", start_new_session=True)
    read_until_up(master)
    os.close(terminal)  # only now: until the program had opened it, nobody else held it

    os.close(master)

    assert program.ends() == 0
    program.leaves_nothing()


def test_under_nohup_it_continues_without_its_terminal(start_program: StartProgram) -> None:
    program = start_program(before="trap '' HUP").is_up()

    program.popen.send_signal(signal.SIGHUP)
    time.sleep(1)

    assert requests.post(f"{program.url}/charge", timeout=10).status_code == 200


def test_it_continues_when_nobody_reads_its_output(start_program: StartProgram) -> None:
    reading, writing = os.pipe()
    program = start_program(stdout=writing)
    os.close(writing)
    read_until_up(reading)
    os.close(reading)
    program.kill_listeners(program.ports.substations[0])  # of which it tells, to nobody

    def charges() -> None:
        assert requests.post(f"{program.url}/charge", timeout=10).status_code == 200

    eventually(charges, 20)

    assert program.ends(signal.SIGINT) == 0
    program.leaves_nothing()


def test_all_ends_with_a_program_that_is_killed(start_program: StartProgram) -> None:
    program = start_program(points="2,2").is_up()
    assert len(program.every_listener()) >= 4
    assert len(program.processes()) > 4

    program.popen.kill()

    program.leaves_nothing()
