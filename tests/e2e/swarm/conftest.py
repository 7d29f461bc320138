"""One Swarm for all tests of this folder, which take their turns on it in the order of the file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.swarm.swarm import Swarm, running, swarm_missing

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test of a run waits for the build and for every task's health.
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(autouse=True)
def _show_the_stack(request: pytest.FixtureRequest) -> None:
    """Let a test that fails show how the tasks stand and what they logged last."""
    if "swarm" in request.fixturenames:
        swarm: Swarm = request.getfixturevalue("swarm")
        request.node.logs = lambda: {"the stack": swarm.report()}


@pytest.fixture(scope="session")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    if missing := swarm_missing():
        pytest.skip(missing)
    with running(tmp_path_factory.mktemp("swarm")) as swarm:
        yield swarm
