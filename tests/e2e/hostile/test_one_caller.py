"""One caller that does all it can to stop the grid, while honest vehicles charge."""

import time
from collections.abc import Iterator

import pytest

from local_stack.grid import Grid, Ports
from tests.e2e.hostile.attacker import KINDS, attack
from tests.e2e.hostile.honest import Vehicles, services_of
from tests.e2e.hostile.table import Table

SERVICES = ("gateway", "balancer", "substation")
LASTS_S = 6
# Vehicles a second beside it.
RATE = 20
MAX_GROWTH_MB = 64
ANSWERS = {
    "pipelined requests without a pause": "200",
    "pipelined bodies in chunks of one byte": "405",
    "the most expensive path, query and headers": "404",
    "`aaa:bb` headers, never completed": "431",
    "99 headers, never completed": "503",
    "headers of 32 KB, never completed": "503",
    "bodies of 60 KB, never completed": "503",
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    folder = tmp_path_factory.mktemp("grid")
    with Grid(folder, points=(8, 8), ports=Ports.free(2), env={"TIME_SCALE": "3600"}) as started:
        yield started


# What is sent again and again goes to each service; what is held, to the one that callers reach.
CASES = [
    (name, service)
    for name, kind in KINDS.items()
    for service in (SERVICES if kind.again else SERVICES[:1])
]


@pytest.mark.parametrize(("name", "service"), CASES)
def test_vehicles_are_charged_while_a_caller_tries_to_stop_the_grid(
    grid: Grid, table: Table, name: str, service: str
) -> None:
    services = services_of(grid)

    with (
        attack(name, services[service].port) as seen,
        Vehicles(grid.url, services, rate=RATE) as vehicles,
    ):
        time.sleep(LASTS_S)
    found = vehicles.check()
    assert max(found.grown_mb.values()) < MAX_GROWTH_MB, found

    statuses = {status for status in seen if status != "ended"}
    assert statuses <= {ANSWERS[name]}, seen
    answer = ANSWERS[name] if statuses else "held"
    table.row(name, service, answer, found.p99_s)
    table.total(f"{service}, {name}", seen.total(), found.grown_mb[service], found.vehicles)
