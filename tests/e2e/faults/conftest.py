"""Records the figures of each scene in the directory FAULTS_RECORD, for `make reliability`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.harness.log_reconciliation import Reconciliation
from tests.e2e.faults.scene import Scene
from tests.e2e.faults.world import World

_HERE = Path(__file__).parent

SceneIn = Callable[[World], Scene]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The order of the rows in the report; the same on every worker of a run.
    for number, item in enumerate(items):
        item.stash[_ROW] = number


_ROW = pytest.StashKey[int]()


@pytest.fixture
def scene_in(request: pytest.FixtureRequest) -> SceneIn:
    """Make a scene in a world: `scene_in(Processes(grid))`."""
    row = request.node.stash[_ROW]
    kind = request.path.parent.name

    def record(title: str, found: Reconciliation, back_s: float) -> None:
        folder = os.environ.get("FAULTS_RECORD")
        if folder:
            document = {
                "kind": kind,
                "row": row,
                "title": title,
                "tried": found.vehicles,
                "charged": found.charged,
                "came_again": found.came_again,
                "lost": len(found.lost),
                "charged_twice": len(found.twice),
                "back_s": back_s,
            }
            (Path(folder) / f"{kind}-{row:03}.json").write_text(json.dumps(document))

    return lambda world: Scene(world, f"S{row}", record)
