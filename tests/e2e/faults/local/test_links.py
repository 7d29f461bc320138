"""The links between the parts are slow, or cut silently, while vehicles charge."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from local_stack.fault_proxy import FaultProxy
from local_stack.faults import cut, slow
from local_stack.grid import Grid, Ports
from tests.e2e.faults.local.conftest import POINTS
from tests.e2e.faults.scene import LEASE_KWH, Scene


class Links(NamedTuple):
    """The links of a grid; those to the substations in the substations' order."""

    to_balancer: FaultProxy
    to_substations: list[FaultProxy]


class LinkedGrid(NamedTuple):
    grid: Grid
    links: Links


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkedGrid]:
    ports, own = Ports.free(len(POINTS)), Ports.free(len(POINTS))
    links = Links(
        FaultProxy(own.balancer, ports.balancer),
        [FaultProxy(*ends) for ends in zip(own.substations, ports.substations, strict=True)],
    )
    substations = ",".join(
        f"substation{n}={link.url}" for n, link in enumerate(links.to_substations, start=1)
    )
    with Grid(
        tmp_path_factory.mktemp("grid"),
        points=POINTS,
        ports=ports,
        balancer_env={"SUBSTATIONS": substations},
        gateway_env={"BALANCER_URL": links.to_balancer.url},
    ) as grid:
        yield LinkedGrid(grid, links)
    for link in (links.to_balancer, *links.to_substations):
        link.close()


@pytest.fixture
def grid(linked: LinkedGrid) -> Grid:
    return linked.grid


@pytest.fixture
def links(linked: LinkedGrid) -> Links:
    return linked.links


def test_a_slow_link_to_a_substation(scene: Scene, links: Links) -> None:
    scene.play(
        "the link between balancer and substation2 slow (0.2 s each way) for 4 s",
        lambda: slow(links.to_substations[1], 4),
    )


def test_a_slow_link_to_the_balancer(scene: Scene, links: Links) -> None:
    scene.play(
        "the link between gateway and balancer slow (0.2 s each way) for 4 s",
        lambda: slow(links.to_balancer, 4),
    )


def test_a_link_to_a_substation_that_is_cut(scene: Scene, links: Links) -> None:
    scene.play(
        "the link between balancer and substation2 cut for 4 s",
        lambda: cut(links.to_substations[1], 4),
        early_kwh=30,  # those at the substation charge on; none is done before the link is back
        most_over_kwh=LEASE_KWH,
    )


def test_a_link_to_the_balancer_that_is_cut(scene: Scene, links: Links) -> None:
    scene.play(
        "the link between gateway and balancer cut for 5 s", lambda: cut(links.to_balancer, 5)
    )
