"""A browser for the tests of the control room, and the program for those of `make run`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.local.chromium import find_chromium, open_chromium
from tests.e2e.local.program import Program

StartProgram = Callable[..., Program]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    with open_chromium(program) as browser:
        yield browser


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
