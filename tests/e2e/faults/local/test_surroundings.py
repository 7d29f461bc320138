"""Failures around the services: memory, the clock, names, and monitoring."""

import ctypes
import resource
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from local_stack.faults import kill
from local_stack.grid import Grid, Ports
from local_stack.process import Process
from tests.conftest import StartGrid, StartService
from tests.e2e.faults.conftest import SceneIn
from tests.e2e.faults.local.conftest import POINTS
from tests.e2e.faults.scene import Scene
from tests.e2e.faults.world import Processes
from tests.support.deadline import eventually
from tests.support.memory import family

_HOLD_S = 3
_DAY_S = 86_400
_LONGER_THAN_A_REQUEST_MAY_TAKE_S = 17
_RESOLVER = "libnss_wrapper.so"  # looks names up in a file that it is given
_NAMES = ("balancer", *(f"substation{number}" for number, _ in enumerate(POINTS, start=1)))


@pytest.mark.parametrize("part", ["substation2", "balancer", "gateway"])
def test_everybody_is_charged_once_when_a_service_reaches_its_memory_limit(
    scene: Scene, grid: Grid, part: str
) -> None:
    process = {one.name: one for one in grid.services}.get(part)
    process = process or {"balancer": grid.balancer, "gateway": grid.gateway}[part]
    scene.play(
        f"{part} cannot allocate memory for {_HOLD_S} s",
        lambda: starve(process),
        early_kwh=30,  # it may die of it at any moment: none of them is done before
    )


def starve(process: Process) -> None:
    """Give a process no further memory for a while."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_AS) for pid in family(process.pid)}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_AS, (0, hard))
    ends = time.monotonic() + _HOLD_S
    failed = 0
    while time.monotonic() < ends:
        failed += process.answers("/metrics") is not None
        time.sleep(0.1)
    assert failed, f"{process.name} does not notice that it gets no memory"
    with suppress(OSError):  # it may have died of it, or be about to
        for pid in family(process.pid):
            resource.prlimit(pid, resource.RLIMIT_AS, limits[process.pid])
    eventually(lambda: keep_running(process), 20)


def keep_running(process: Process) -> None:
    """Start it again where it has died, as a container's restart policy does, until it lives."""
    if not process.running:
        process.start()
    fault = process.answers("/healthz")
    assert fault is None, fault


def test_everybody_is_charged_once_when_the_clock_steps(
    scene_in: SceneIn, start_grid: StartGrid, tmp_path: Path
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) is installed")
    shift, offset_s = tmp_path / "step_clock.so", tmp_path / "offset"
    source = Path(__file__).with_name("step_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shift, source], check=True)
    offset_s.write_text("0")
    grid = start_grid(POINTS, env={"LD_PRELOAD": str(shift), "CLOCK_OFFSET_FILE": str(offset_s)})

    def steps() -> None:
        for step_s in (_DAY_S, -_DAY_S, 0):
            offset_s.write_text(str(step_s))
            time.sleep(1)
            for service in grid.services:
                assert abs(clock_of(service) - time.time() - step_s) < 60, service.name

    scene_in(Processes(grid)).play(
        "the clocks of all services jump a day forward, then two back", steps
    )


def clock_of(service: Process) -> float:
    """Ask a service for the time, in seconds of the epoch."""
    answer = requests.get(f"{service.url}/healthz", timeout=5)
    return parsedate_to_datetime(answer.headers["Date"]).timestamp()


def test_everybody_is_charged_once_while_names_are_not_found(
    scene_in: SceneIn, start_grid: StartGrid, tmp_path: Path
) -> None:
    try:
        ctypes.CDLL(_RESOLVER)
    except OSError:
        pytest.skip(f"{_RESOLVER} is not installed")
    ports = Ports.free(len(POINTS))
    hosts = tmp_path / "hosts"
    known = "".join(f"127.0.0.1 {name}.invalid\n" for name in _NAMES)
    hosts.write_text(known)
    resolver = {"LD_PRELOAD": _RESOLVER, "NSS_WRAPPER_HOSTS": str(hosts)}
    substations = zip(_NAMES[1:], ports.substations, strict=True)
    grid = start_grid(
        POINTS,
        ports=ports,
        balancer_env={
            **resolver,
            "SUBSTATIONS": ",".join(
                f"{name}=http://{name}.invalid:{port}" for name, port in substations
            ),
            "RESOLVE_INTERVAL": "0.5",
        },
        gateway_env={**resolver, "BALANCER_URL": f"http://balancer.invalid:{ports.balancer}"},
    )

    def is_down() -> None:
        hosts.write_text("")
        time.sleep(_HOLD_S)
        hosts.write_text(known)

    scene_in(Processes(grid)).play(f"no host name resolves for {_HOLD_S} s", is_down)
    assert '"name not found"' in grid.balancer.log_file.read_text()


def test_everybody_is_charged_once_while_prometheus_is_down(
    scene_in: SceneIn, start_grid: StartGrid
) -> None:
    grid = start_grid(POINTS, with_prometheus=True)
    if grid.prometheus is None:
        pytest.skip("prometheus is not installed")
    prometheus = grid.prometheus
    scene_in(Processes(grid)).play(
        f"Prometheus down for {_HOLD_S} s", lambda: kill(prometheus, _HOLD_S)
    )


def test_what_came_while_a_service_was_frozen_is_read_before_its_caller_is_overdue(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service")
    body = b'{"kwh": 1}'
    head = (
        f"POST /charge HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", substation.port)) as caller:
        caller.sendall(head.encode())
        time.sleep(0.3)  # it is read, and from here on the rest is due
        substation.freeze()
        caller.sendall(body)
        time.sleep(_LONGER_THAN_A_REQUEST_MAY_TAKE_S)
        substation.thaw()
        caller.settimeout(10)
        assert caller.recv(4096).startswith(b"HTTP/1.1 200 ")
