"""Starts substations as others build them."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack.grid import Ports
from local_stack.process import Process

StartFieldSubstation = Callable[..., Process]


@pytest.fixture
def start_field_substation(tmp_path: Path) -> Iterator[StartFieldSubstation]:
    """Start `field_substation.py` with some behaviour."""
    started: list[Process] = []

    def start(**behaviour: object) -> Process:
        port = Ports.free(0).gateway
        program = Path(__file__).parents[1] / "support" / "field_substation.py"
        process = Process(
            f"substation{len(started)}",
            [sys.executable, str(program), json.dumps({"port": port, **behaviour})],
            env=os.environ,
            port=port,
            log=tmp_path / f"substation{len(started)}.log",
        )
        started.append(process)
        process.start()
        process.wait_until(lambda: process.answers("/"), timeout_s=10)
        return process

    yield start
    for process in started:
        process.kill()
