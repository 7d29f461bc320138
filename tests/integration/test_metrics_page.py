"""docs/api.md lists the metrics that the services publish."""

import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from local_stack.grid import Grid
from local_stack.process import ROOT, Process
from tests.conftest import StartGrid

# The client library's own: when a counter was created, and the process.
_OF_THE_LIBRARY = re.compile(r"\w+_created|process_\w+|python_\w+")


@pytest.fixture(scope="module")
def grid(start_shared_grid: StartGrid) -> Grid:
    return start_shared_grid(points=(4,))


def listed(service: str) -> set[str]:
    """Read the metrics of a service from the page, without labels."""
    table = (ROOT / "docs" / "api.md").read_text().split("\n## Metrics\n")[1]
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {service} |")]
    return set(re.findall(r"`([a-z]+_\w+)(?:\{[\w,]+\})?`", row))


def published(process: Process) -> set[str]:
    """Read the metrics of a running service, without those of the client library."""
    page = requests.get(f"{process.url}/metrics", timeout=5).text
    names = {
        family.name + "_total" * (family.type == "counter")
        for family in text_string_to_metric_families(page)
    }
    return {name for name in names if not _OF_THE_LIBRARY.fullmatch(name)}


@pytest.mark.parametrize("service", ["substation", "balancer", "gateway"])
def test_the_page_lists_what_a_service_publishes(grid: Grid, service: str) -> None:
    process = {
        "substation": grid.substations[0],
        "balancer": grid.balancer,
        "gateway": grid.gateway,
    }[service]

    assert published(process) == listed(service) | listed("all")
