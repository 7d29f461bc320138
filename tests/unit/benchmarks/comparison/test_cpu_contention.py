import os
from pathlib import Path

import psutil
import pytest

from benchmarks.comparison.cpu_contention import CpuContention

OURS, OTHERS = 100, 200


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    write(tmp_path, work=1000, rest=1000, used={OURS: 10, OTHERS: 990})
    return tmp_path


def write(proc: Path, *, work: int, rest: int, used: dict[int, int]) -> None:
    """Write the system's figures: all processes but OTHERS are children of this one."""
    line = f"{work} 0 0 {rest} 0 0 0 0 0 0"
    (proc / "stat").write_text(f"cpu  {line}\ncpu0 {line}\ncpu1 {line}\nbtime 1\n")
    for old in proc.glob("[0-9]*/stat"):
        old.unlink()
    for pid, ticks in (used | {os.getpid(): 0}).items():
        (proc / str(pid)).mkdir(exist_ok=True)
        parent = 1 if pid in (OTHERS, os.getpid()) else os.getpid()
        # user time is column 14 of the whole, system time 15
        text = f"{pid} (a (name) S) S {parent} {pid} {pid} 0 0 0 0 0 0 0 {ticks}" + 38 * " 0"
        (proc / str(pid) / "stat").write_text(text)


def test_what_the_run_itself_uses_is_not_others(proc: Path) -> None:
    watch = CpuContention()
    write(proc, work=1100, rest=1900, used={OURS: 110, OTHERS: 990})
    assert watch.share() == 0.0


def test_what_any_process_of_the_run_used_before_it_is_not_its_own_in_it(proc: Path) -> None:
    write(proc, work=1000, rest=1000, used={OURS: 10, 101: 300, OTHERS: 690})
    watch = CpuContention()
    write(proc, work=1300, rest=1700, used={OURS: 60, 101: 350, OTHERS: 890})
    assert watch.share() == pytest.approx(0.2)


def test_others_are_reported_as_a_share_of_all_processors_time(proc: Path) -> None:
    watch = CpuContention()
    write(proc, work=1300, rest=1700, used={OURS: 110, OTHERS: 1190})
    assert watch.share() == pytest.approx(0.2)


def test_a_process_of_the_run_that_is_killed_and_one_that_is_started_count_as_its_own(
    proc: Path,
) -> None:
    watch = CpuContention()
    write(proc, work=1050, rest=1450, used={OURS: 60, OTHERS: 990})
    watch.look()
    write(proc, work=1100, rest=1900, used={101: 50, OTHERS: 990})
    assert watch.share() == 0.0


def test_nothing_is_reported_where_the_figures_are_those_of_other_processors(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = CpuContention()
    write(proc, work=1300, rest=1700, used={OURS: 110, OTHERS: 1190})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert watch.share() is None
    assert CpuContention().share() is None


def test_nothing_is_reported_where_there_are_no_figures(proc: Path) -> None:
    (proc / "stat").unlink()
    assert CpuContention().share() is None
