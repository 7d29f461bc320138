"""One stack for all tests of this directory, with everything whose image is available."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.compose.stack import Stack, can_be_had, engine_missing, image_of, running

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test of a run waits for the build and for every container's health.
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(autouse=True)
def _show_the_stack(request: pytest.FixtureRequest) -> None:
    """Let a test that fails show how the containers stand and what they logged last."""
    if "stack" in request.fixturenames:
        stack: Stack = request.getfixturevalue("stack")
        request.node.logs = lambda: {"the stack": stack.report()}


@pytest.fixture(scope="session")
def has_grafana() -> bool:
    missing = engine_missing()
    if missing:
        pytest.skip(missing)
    return can_be_had(image_of("grafana"))


@pytest.fixture(scope="session")
def stack(has_grafana: bool) -> Iterator[Stack]:
    services = ["charge_request_service", "prometheus"] + ["grafana"] * has_grafana
    with running(Stack(f"ev-grid-test-{os.getpid()}", services)) as stack:
        yield stack
