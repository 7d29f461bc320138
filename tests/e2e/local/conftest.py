"""A browser and a grid for the tests of the control room, the program for those of `make run`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.e2e.local.chromium import find_chromium, open_chromium
from tests.e2e.local.program import Program
from tests.support.deadline import PATIENCE_S

StartProgram = Callable[..., Program]


# For the browser, all three lead to this machine: a name of the own network, another machine there,
# and a public name that its owner led here (DNS rebinding).
OWN, NEIGHBOUR, REBOUND = "grid.local", "neighbour.local", "elsewhere.example"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    expect.set_options(timeout=PATIENCE_S * 1000)
    rules = ", ".join(f"MAP {name} 127.0.0.1" for name in (OWN, NEIGHBOUR, REBOUND))
    with open_chromium(program, f"--host-resolver-rules={rules}") as browser:
        yield browser


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """A context for the pages of all tests; a new one costs Chromium half a second of CPU time.

    The control room keeps things only in a page's own storage. One page stays open, because the
    process that draws pages ends with the last.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.new_page()
    return context


@pytest.fixture(scope="module")
def whole_grid(start_shared_grid: StartGrid) -> Grid:
    return start_shared_grid()


@pytest.fixture
def grid(whole_grid: Grid) -> Grid:
    """The grid, whole again whatever the test before did to it."""
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
