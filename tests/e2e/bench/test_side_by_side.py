"""The benchmark with real processes: one short run, and one that is interrupted."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.side_by_side.results import load
from local_stack.process import ROOT
from tests.deadline import eventually

_MARK = "SIDE_BY_SIDE_TEST"


@pytest.fixture
def mark() -> Iterator[str]:
    """Make a mark that all processes of a benchmark carry, and end what is left of them."""
    made = secrets.token_hex(8)
    yield made
    for pid in carrying(made):
        os.kill(pid, signal.SIGKILL)


def carrying(mark: str) -> list[int]:
    """List the processes that carry a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


def start(mark: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.side_by_side", "--quick", *arguments],
        cwd=ROOT,
        env={**os.environ, _MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_run_ends_with_a_report_and_nothing_running(mark: str, tmp_path: Path) -> None:
    run = start(mark, "--scenes", "burst", "--rivals", "ours,simple", "--out", str(tmp_path))
    said, _ = run.communicate(timeout=60)

    assert run.returncode == 0, said
    assert "[ 2/2] the simple way" in said
    ours, simple = (
        load(tmp_path / "side_by_side.json").scenes[0].runs[k] for k in ("ours", "simple")
    )
    assert (ours.figures.lost, ours.figures.sent_to_full) == (0, 0)
    assert simple.figures.lost == simple.figures.sent_to_full > 0
    assert ours.figures.ratio < 1.5
    assert "60 vehicles" in (tmp_path / "side_by_side.md").read_text()
    assert carrying(mark) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_every_process(mark: str, how: signal.Signals) -> None:
    run = start(mark, "--scenes", "burst", "--rivals", "ours")

    def all_are_up() -> None:
        # The benchmark itself, and for each of 3 sites and the balancer a master and its worker.
        assert len(carrying(mark)) == 1 + 4 * 2

    eventually(all_are_up, within_s=20)
    run.send_signal(how)
    said, _ = run.communicate(timeout=20)

    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert said.endswith("interrupted; every process that was started has been ended\n")
    assert carrying(mark) == []
