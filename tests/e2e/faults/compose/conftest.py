"""One Compose stack for all scenes: each has to restore it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.compose.stack import Stack, can_be_had, engine_missing, image_of, running
from tests.e2e.faults.compose.containers import Containers
from tests.e2e.faults.conftest import SceneIn
from tests.e2e.faults.scene import Scene

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first scene of a run waits for the build and for every container's health.
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    missing = engine_missing()
    if missing:
        pytest.skip(missing)
    services = ["charge_request_service", "prometheus"]
    services += ["grafana"] * can_be_had(image_of("grafana"))
    with running(Stack(f"ev-grid-faults-{os.getpid()}", services)) as stack:
        yield stack


@pytest.fixture
def world(stack: Stack) -> Containers:
    return Containers(stack)


@pytest.fixture
def scene(request: pytest.FixtureRequest, world: Containers, scene_in: SceneIn) -> Scene:
    request.node.logs = lambda: {"the stack": world.stack.report()}
    return scene_in(world)
