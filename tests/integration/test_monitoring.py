"""The real Prometheus over a real grid of foreign substations: what its rules make of them."""

import json
import os
import shutil
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_stack.grid import Grid, Ports
from local_stack.process import Process
from tests.conftest import StartGrid
from tests.support.deadline import eventually
from tests.support.fleet import Fleet

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="the program prometheus is not installed"
)
_POINTS = 3
# Two scrapes and two evaluations, and this machine's haste.
_SEEN_WITHIN_S = 20


@pytest.fixture
def foreign_substations(tmp_path: Path) -> Iterator[list[Process]]:
    """Two that publish a gauge of another name and no capacity; one tells of more than itself."""
    program = Path(__file__).parents[1] / "support" / "field_substation.py"
    pages = (
        "ev_charging_load {load}\n",
        "ev_charging_load {load}\nbalancer_waiting_sessions 99\nup 0\n"
        'charge_requests_total{status="503"} 7\nsubstation:substation_load:ratio 0.5\n',
    )
    started = []
    for number, page in enumerate(pages):
        port = Ports.free(0).gateway
        behaviour = {"port": port, "page": page, "charge_s": 60, "content_type": "text/plain"}
        process = Process(
            f"foreign{number}",
            [sys.executable, str(program), json.dumps(behaviour)],
            env=os.environ,
            port=port,
            log=tmp_path / f"foreign{number}.log",
        )
        started.append(process)
        process.start()
    for process in started:
        process.wait_until(lambda one=process: one.answers("/"), timeout_s=10)  # type: ignore[misc] # bound at once
    yield started
    for process in started:
        process.kill()


def query(grid: Grid, expression: str) -> dict[str, float]:
    """Ask Prometheus for an expression: the values by substation."""
    assert grid.prometheus
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    answer: Any = grid.get(path, of=grid.prometheus)
    return {
        sample["metric"].get("substation", ""): float(sample["value"][1])
        for sample in answer["data"]["result"]
    }


def test_the_load_rules_see_foreign_substations_that_publish_no_capacity(
    start_grid: StartGrid, foreign_substations: list[Process]
) -> None:
    grid = start_grid(
        points=(),
        with_prometheus=True,
        balancer_env={
            "SUBSTATIONS": ",".join(f"{one.name}={one.url}" for one in foreign_substations),
            "GAUGE_NAME": "ev_charging_load",
            "DEFAULT_CAPACITY": str(_POINTS),
        },
    )
    full = {one.name: 1.0 for one in foreign_substations}

    Fleet(grid.url).send(2 * _POINTS + 4)

    def seen() -> None:
        assert query(grid, "grid:substation_load:ratio") == {"": 1}
        assert query(grid, "substation:substation_load:open_ratio") == full
        assert query(grid, "grid:balancer_waiting_sessions:sum") == {"": 4}
        assert query(grid, 'ALERTS{alertname="SubstationNearlyFull"}') == full

    def scraped() -> None:
        assert query(grid, "ev_charging_load") == dict.fromkeys(full, _POINTS)
        assert query(grid, 'up{job="substation"}') == full

    eventually(seen, _SEEN_WITHIN_S, every_s=0.2)
    # Those pages are scraped, and only what concerns their own substation is kept of them.
    eventually(scraped, _SEEN_WITHIN_S, every_s=0.2)
    assert query(grid, 'charge_requests_total{job="substation"}') == {}
