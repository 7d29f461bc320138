"""One grid of three substations for all scenes of a file: each has to restore it."""

from collections.abc import Iterator

import pytest

from local_stack.grid import Grid, Ports
from tests.e2e.faults.conftest import SceneIn
from tests.e2e.faults.scene import Scene
from tests.e2e.faults.world import Processes

POINTS = (8, 8, 8)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    folder = tmp_path_factory.mktemp("grid")
    with Grid(folder, points=POINTS, ports=Ports.free(len(POINTS))) as grid:
        yield grid


@pytest.fixture
def scene(request: pytest.FixtureRequest, grid: Grid, scene_in: SceneIn) -> Scene:
    request.node.logs = lambda: {process.name: process.log_tail() for process in grid.processes}
    return scene_in(Processes(grid))
