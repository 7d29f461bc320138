"""The links between the parts are slow, or cut silently, while vehicles charge."""

from collections.abc import Iterator

import pytest

from benchmarks.harness.grid import LinkedGrid
from local_stack.fault_proxy import FaultProxy
from local_stack.faults import cut, slow
from local_stack.grid import Grid
from tests.e2e.faults.local.conftest import POINTS
from tests.e2e.faults.scene import KWH_PER_S, LEASE_KWH, Scene


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkedGrid]:
    folder = tmp_path_factory.mktemp("linked")
    with LinkedGrid(folder, KWH_PER_S, points=POINTS, to_balancer=True) as linked:
        yield linked


@pytest.fixture
def grid(linked: LinkedGrid) -> Grid:
    return linked.grid


@pytest.fixture
def to_balancer(linked: LinkedGrid) -> FaultProxy:
    return linked.links[linked.grid.balancer.name]


@pytest.fixture
def to_substation2(linked: LinkedGrid) -> FaultProxy:
    return linked.links["substation2"]


def test_everybody_is_charged_once_over_a_slow_link_to_a_substation(
    scene: Scene, to_substation2: FaultProxy
) -> None:
    scene.play(
        "the link between balancer and substation2 slow (0.2 s each way) for 4 s",
        lambda: slow(to_substation2, 4),
    )


def test_everybody_is_charged_once_over_a_slow_link_to_the_balancer(
    scene: Scene, to_balancer: FaultProxy
) -> None:
    scene.play(
        "the link between gateway and balancer slow (0.2 s each way) for 4 s",
        lambda: slow(to_balancer, 4),
    )


def test_everybody_is_charged_once_when_the_link_to_a_substation_is_cut(
    scene: Scene, to_substation2: FaultProxy
) -> None:
    scene.play(
        "the link between balancer and substation2 cut for 4 s",
        lambda: cut(to_substation2, 4),
        early_kwh=30,  # those at the substation charge on; none is done before the link is back
        most_over_kwh=LEASE_KWH,
    )


def test_everybody_is_charged_once_when_the_link_to_the_balancer_is_cut(
    scene: Scene, to_balancer: FaultProxy
) -> None:
    scene.play("the link between gateway and balancer cut for 5 s", lambda: cut(to_balancer, 5))
