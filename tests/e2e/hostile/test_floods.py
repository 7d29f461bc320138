"""Useless connections: idle ones, too many, and callers that never read."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from tests.conftest import StartGrid
from tests.e2e.hostile.table import Table
from tests.support.fleet import Fleet
from tests.support.memory import Memory

IDLE = 5_000
# A connection costs its socket, a greenlet and a reader.
MAX_KB_EACH = 40
SLOWEST_S = 5
# 32 MB of large answers may wait to be taken; each is joined from as large pieces before that.
MAX_UNREAD_MB = 192
CALLERS = 100


@contextmanager
def connections(port: int, count: int, say: bytes = b"") -> Iterator[list[socket.socket]]:
    """Hold connections on each of which something may have been said."""
    with ExitStack() as stack:
        lines = []
        for _ in range(count):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            line.sendall(say)
            lines.append(line)
        yield lines


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 1_000
    if soft < wanted and hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the limit on open files is {hard}; {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_5000_idle_connections_cost_little_and_vehicles_are_charged_beside_them(
    start_grid: StartGrid, table: Table
) -> None:
    grid = start_grid(points=(8,), env={"TIME_SCALE": "3600"})
    memory = Memory(grid.gateway)

    with connections(grid.gateway.port, IDLE):
        fleet = Fleet(grid.url, kwh=1).send(20, rate=20).wait()
        slowest_s = max(session.answered - session.sent for session in fleet.sessions)

    assert fleet.statuses() == {200: 20}, fleet.troubles()
    assert slowest_s < SLOWEST_S
    assert memory.grown_mb < IDLE * MAX_KB_EACH / 1000
    table.row("5,000 idle connections", "gateway", "held", slowest_s)
    table.total("gateway, 5,000 idle connections", IDLE, memory.grown_mb, 20)


def test_when_all_connections_are_taken_idle_ones_make_room(
    start_grid: StartGrid, table: Table
) -> None:
    most = 200
    grid = start_grid(
        points=(8,), env={"TIME_SCALE": "3600"}, gateway_env={"MAX_CONNECTIONS": str(most)}
    )
    memory = Memory(grid.gateway)
    charging = Fleet(grid.url, kwh=200).send(4)  # 4 s
    time.sleep(0.5)

    with connections(grid.gateway.port, 2 * most):
        fleet = Fleet(grid.url, kwh=1).send(20).wait()
    slowest_s = max(session.answered - session.sent for session in fleet.sessions)

    assert fleet.statuses() == {200: 20}, fleet.troubles()
    assert slowest_s < 2 * SLOWEST_S
    assert charging.wait().statuses() == {200: 4}
    assert memory.grown_mb < 2 * most * MAX_KB_EACH / 1000 + 8
    table.row("twice as many idle connections as are allowed", "gateway", "closed", slowest_s)


def test_a_shell_that_allows_few_open_files_does_not_shut_vehicles_out(
    start_grid: StartGrid, table: Table
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        grid = start_grid(points=(8,), env={"TIME_SCALE": "3600"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with connections(grid.gateway.port, 500):
        fleet = Fleet(grid.url, kwh=1).send(20).wait()

    assert fleet.statuses() == {200: 20}, fleet.troubles()
    slowest_s = max(session.answered - session.sent for session in fleet.sessions)
    table.row("500 idle connections where 256 files may be open", "gateway", "held", slowest_s)


def test_callers_that_never_read_their_answers_are_disconnected_on(
    start_grid: StartGrid, table: Table
) -> None:
    grid = start_grid(points=(8, 8, 8), env={"TIME_SCALE": "360000"})
    with requests.Session() as vehicle:
        for _ in range(800):
            vehicle.post(f"{grid.url}/charge", timeout=10)
    memory = Memory(grid.gateway)
    ask = b"GET /decisions?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    with ExitStack() as stack:
        for _ in range(CALLERS):
            line = stack.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", grid.gateway.port))
            line.sendall(ask * 100)
        fleet = Fleet(grid.url, kwh=1).send(20, rate=10).wait()
    slowest_s = max(session.answered - session.sent for session in fleet.sessions)

    assert fleet.statuses() == {200: 20}, fleet.troubles()
    assert memory.grown_mb < MAX_UNREAD_MB
    table.row(
        f"{CALLERS} callers that request all decisions and never read",
        "gateway",
        "closed",
        slowest_s,
    )
    table.total("gateway, responses never read", CALLERS, memory.grown_mb, 20)
