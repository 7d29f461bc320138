"""Runs of benchmarks, none of whose processes may be left."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from local_stack.process import ROOT
from tests.e2e.bench.marked import MARK, carrying

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def mark() -> Iterator[str]:
    """Make a mark that all processes of a benchmark carry, and end what is left of them."""
    made = secrets.token_hex(8)
    yield made
    for pid in carrying(made):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start(mark: str) -> Start:
    """Start a benchmark: `start("benchmarks.soak", "--minutes", "1")`."""

    def start(module: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, MARK: mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
