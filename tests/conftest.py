"""Starts the project's real processes for tests, and shows their logs if a test fails."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from local_stack.grid import Grid, Ports
from local_stack.process import Process
from tests.support.forked import ForkedGrid, ForkedService

# Shells ignore Ctrl-C for background jobs, and nohup ignores the end of a terminal. The processes
# that tests start would inherit both.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# The shell's proxy cannot reach what the tests start here, but `requests` would use it.
for _name in ("no_proxy", "NO_PROXY"):
    _others = os.environ.get(_name)
    os.environ[_name] = ",".join([*([_others] if _others else []), "127.0.0.1", "localhost", "::1"])

# The same examples are tried everywhere, so that a harmless change never fails. There is no
# deadline for one, because the machine is shared.
settings.register_profile(
    "grid",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("grid")

StartService = Callable[..., Process]
StartGrid = Callable[..., Grid]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start tests that take a minute first, so that no run ends by waiting for a single one."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    report = yield
    if report.failed:
        for node in item.listchain():  # its own processes, and those that its module shares
            for name, tail in getattr(node, "logs", dict)().items():
                report.sections.append((f"log of {name}", tail))
    return report


@pytest.fixture
def start_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartService]:
    """Start a service on a free port: `start_service("substation_service", TIME_SCALE=36)`."""
    started: list[Process] = []

    def start(module: str, *, path: str = "/readyz", **settings: object) -> Process:
        env = {name: str(value) for name, value in settings.items()}
        port = int(env.pop("PORT", Ports.free(0).gateway))
        name = f"{module}-{len(started)}"
        process = ForkedService(name, module, env=env, port=port, log=tmp_path / f"{name}.log")
        started.append(process)
        process.start()
        process.wait_until(lambda: process.answers(path), timeout_s=20)
        return process

    request.node.logs = lambda: {one.name: one.log_tail() for one in started}
    yield start
    for process in started:
        process.kill()


@pytest.fixture
def start_grid(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartGrid]:
    """Start a whole grid on free ports: `start_grid(points=(10, 10), env={...})`."""
    yield from _grids(request, tmp_path)


@pytest.fixture(scope="module")
def start_shared_grid(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartGrid]:
    """Start a grid for all tests of a module, as `start_grid` does for one."""
    yield from _grids(request, tmp_path_factory.mktemp("grids"))


def _grids(request: pytest.FixtureRequest, parent: Path) -> Iterator[StartGrid]:
    started: list[Grid] = []

    def start(points: tuple[int, ...] = (4, 8, 12), **options: Any) -> Grid:
        folder = parent / f"grid{len(started)}"
        options.setdefault("ports", Ports.free(len(points)))
        grid = ForkedGrid(folder, points=points, **options)
        started.append(grid)
        grid.start()
        return grid

    request.node.logs = lambda: {
        process.name: process.log_tail() for grid in started for process in grid.processes
    }
    yield start
    for grid in started:
        grid.kill()
