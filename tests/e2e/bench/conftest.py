"""Runs of benchmarks, none of whose processes may be left."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from local_stack.process import ROOT
from tests.support.marked import carrying, marking, none_is_left

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def mark() -> Iterator[str]:
    """Make a mark that all processes of a benchmark carry, and end what is left of them."""
    made = secrets.token_hex(8)
    yield made
    for pid in carrying(made):
        os.kill(pid, signal.SIGKILL)


def ends_cleanly_on_signal(run: "subprocess.Popen[str]", mark: str, how: signal.Signals) -> None:
    """Hold a run to its end by a signal: it says so, and leaves no process."""
    run.send_signal(how)
    said, _ = run.communicate(timeout=20)

    assert run.returncode == 130, said
    assert "Traceback" not in said, said
    assert said.endswith("interrupted; every process that was started has been ended\n"), said
    none_is_left(mark)


@pytest.fixture
def start(mark: str) -> Start:
    """Start a benchmark: `start("benchmarks.soak", "--minutes", "1")`."""

    def start(module: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, **marking(mark)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
