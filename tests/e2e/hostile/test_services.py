"""Each service is attacked while vehicles go on being charged beside it.

The answer is one of 4xx (or 505), or a closed connection, in bounded time and memory; no attack
counts as a vehicle, none leaves a session behind, none forges a line of a log or a header.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from local_stack.grid import Grid, Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.e2e.hostile import attacks
from tests.e2e.hostile.attacks import Attack
from tests.e2e.hostile.caller import tell
from tests.e2e.hostile.honest import Vehicles, services_of
from tests.e2e.hostile.table import Table
from tests.support.deadline import eventually
from tests.support.memory import Memory

SERVICES = ("gateway", "balancer", "substation")
SLOWEST_S = 3
MAX_GROWTH_MB = 16
MAX_ANSWER_LENGTH = 20_000


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    folder = tmp_path_factory.mktemp("grid")
    with Grid(folder, points=(8, 8), ports=Ports.free(2), env={"TIME_SCALE": "3600"}) as started:
        yield started


def process(grid: Grid, service: str) -> Process:
    return services_of(grid)[service]


def attacks_on(service: str) -> dict[str, Attack]:
    found = dict(attacks.EVERYWHERE)
    if service != "substation":
        found |= attacks.PREFERENCES | attacks.VIEWS
    return found | attacks.GATEWAY if service == "gateway" else found


def charged(grid: Grid) -> dict[str, float]:
    """Count vehicles as each service does."""
    counts = {
        "gateway": total(grid.gateway.url, "charge_requests_total"),
        "balancer": total(grid.balancer.url, "balancer_dispatches_total"),
        "substations": sum(
            total(substation.url, "substation_sessions_total") for substation in grid.substations
        ),
    }
    assert all(
        scrape(substation.url)["substation_current_load"] == 0 for substation in grid.substations
    )
    return counts


def total(url: str, metric: str) -> float:
    return sum(value for name, value in scrape(url).items() if name.startswith(metric + "{"))


def check_logs(grid: Grid) -> None:
    """Each line of each log is an event of the service's own."""
    for one in grid.services:
        for line in one.log_file.read_text().splitlines():
            assert line.isprintable(), repr(line)  # as are escapes that a terminal would obey
            event = json.loads(line)
            assert attacks.MARK not in event["event"], line
            assert event.get("level") != "error", line


@pytest.mark.parametrize("service", SERVICES)
def test_malformed_requests_are_refused_and_vehicles_are_charged_meanwhile(
    grid: Grid, service: str, table: Table
) -> None:
    target, before = process(grid, service), charged(grid)
    memory = Memory(target)

    with Vehicles(grid.url) as vehicles:
        for name, attack in attacks_on(service).items():
            reported = tell(target.port, attack.data)
            answers = set(reported.answers.split())

            assert len(answers) == 1, (name, reported)
            assert answers <= set(attack.answers.split()), (name, reported)
            assert reported.took_s < SLOWEST_S, name
            for part in reported.raw.split(b"\r\n\r\n"):
                assert not (part.startswith(b"HTTP/") and attacks.MARK.encode() in part), name
            if answers != {"200"}:
                assert len(reported.raw) < MAX_ANSWER_LENGTH + len(attack.data), name
                assert b"application/problem+json" in reported.raw, (name, reported)
            table.row(name, service, reported.answers.split()[0], reported.took_s)

    count = vehicles.check().vehicles
    assert memory.grown_mb < MAX_GROWTH_MB
    table.total(service, len(attacks_on(service)), memory.grown_mb, count)
    assert {key: after - before[key] for key, after in charged(grid).items()} == dict.fromkeys(
        before, count
    )
    check_logs(grid)


# A request has 15 s to arrive, and an answer 30 s to be taken; one sweep a second ends the rest.
DEADLINE_S = 15
SWEEP_S = 3
_HALF = attacks.HEAD + attacks.JSON + b"Content-Length: 20000\r\n\r\n"
SLOW = {
    "a request line, a byte a second": (b"GET /", b"a"),
    "a header, a byte a second": (attacks.HEAD + b"X: ", b"a"),
    "headers, one a second": (attacks.HEAD, b"X: y\r\n"),
    "a body, a byte a second": (_HALF, b" "),
    "chunks, one a second": (attacks.CHUNKED, b"1\r\n \r\n"),
    "trailers, one a second": (attacks.CHUNKED + b"0\r\n", b"X: y\r\n"),
    "half a request line, then nothing": (b"POST /char", b""),
    "half the headers, then nothing": (attacks.HEAD, b""),
    "half a body, then nothing": (_HALF + b" " * 9, b""),
    "Expect: 100-continue, then nothing": (
        _HALF.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        b"",
    ),
    "half a body after a complete request": (attacks.json(b"[]").data + _HALF + b" ", b""),
}


def test_callers_that_take_their_time_are_disconnected_on(grid: Grid, table: Table) -> None:
    before = charged(grid)
    memory = {service: Memory(process(grid, service)) for service in SERVICES}
    callers = [
        Trickle(process(grid, service), name, service, *SLOW[name])
        for name in SLOW
        for service in SERVICES
        for _ in range(5)
    ]

    with Vehicles(grid.url) as vehicles:
        for one in callers:
            one.start()
        for one in callers:
            one.join(DEADLINE_S + 10)

    for one in callers:
        assert DEADLINE_S - 1 < one.took_s < DEADLINE_S + SWEEP_S, (one.name, one.took_s)
        table.row(one.attack, one.service, "closed", one.took_s)
    count = vehicles.check().vehicles
    for service in SERVICES:
        assert memory[service].grown_mb < MAX_GROWTH_MB
        table.total(f"{service}, slowly", len(callers) // 3, memory[service].grown_mb, count)
    assert {key: after - before[key] for key, after in charged(grid).items()} == dict.fromkeys(
        before, count
    )
    check_logs(grid)


class Trickle(threading.Thread):
    """A caller that says the rest a piece a second; notes when it was disconnected."""

    def __init__(self, target: Process, attack: str, service: str, first: bytes, more: bytes):
        super().__init__(daemon=True, name=f"{attack} to {service}")
        self.attack, self.service = attack, service
        self.took_s = float("inf")
        self._port, self._first, self._more = target.port, first, more

    def run(self) -> None:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self._port), timeout=1) as line:
            line.sendall(self._first)
            with suppress(ConnectionError):
                while True:
                    try:
                        if not line.recv(65_536):
                            break
                    except TimeoutError:
                        line.sendall(self._more)
        self.took_s = time.monotonic() - began


def test_a_vehicle_that_disconnected_half_way_or_all_the_way_leaves_no_session(
    grid: Grid, table: Table
) -> None:
    before = charged(grid)["substations"]
    whole = attacks.HEAD + attacks.JSON + b'Content-Length: 12\r\n\r\n{"kwh": 900}'
    for service in SERVICES:
        for how, name in (
            (socket.SHUT_WR, "a vehicle that closes its sending side"),
            (socket.SHUT_RDWR, "a vehicle that disconnects"),
        ):
            with socket.create_connection(("127.0.0.1", process(grid, service).port)) as line:
                line.sendall(whole)
                time.sleep(0.3)
                line.shutdown(how)
                began = time.monotonic()
                eventually(lambda: charged(grid), within_s=3)
                table.row(name, service, "stopped", time.monotonic() - began)
    assert charged(grid)["substations"] == before + 2 * len(SERVICES)
    for substation in grid.substations:
        assert scrape(substation.url)['substation_sessions_total{outcome="refused"}'] == 0
