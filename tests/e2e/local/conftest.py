"""A browser and a grid for the tests of the control room, the program for those of `make run`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from local_stack.grid import Grid, Ports
from tests.e2e.local.chromium import find_chromium, open_chromium
from tests.e2e.local.program import Program
from tests.support.forked import ForkedGrid

StartProgram = Callable[..., Program]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    with open_chromium(program) as browser:
        yield browser


@pytest.fixture(scope="module")
def whole_grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    with ForkedGrid(tmp_path_factory.mktemp("grid"), ports=Ports.free(3)) as grid:
        yield grid


@pytest.fixture
def grid(whole_grid: Grid, request: pytest.FixtureRequest) -> Grid:
    """The grid, whole again whatever the test before did to it."""
    request.node.logs = lambda: {one.name: one.log_tail() for one in whole_grid.processes}
    for process in whole_grid.processes:
        process.thaw()
        if not process.running:
            process.start()
    whole_grid.wait_ready()
    return whole_grid


@pytest.fixture
def start_program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartProgram]:
    """Start `python -m local_stack` on free ports: `start_program("--no-restart", points="4")`."""
    started: list[Program] = []

    def start(*options: str, **more: Any) -> Program:
        program = Program(tmp_path / f"program{len(started)}", *options, **more)
        started.append(program)
        return program

    request.node.logs = lambda: {
        f"program {number}": program.said() for number, program in enumerate(started)
    }
    yield start
    for program in started:
        program.close()
