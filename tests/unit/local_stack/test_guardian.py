"""The children of a process end with it, even if it is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_stack.process import ROOT
from tests.support.deadline import eventually

# Starts two programs, of which one has a child, ends one, and tells the rest on a line.
_STARTS = """
import pathlib, sys, time
from local_stack.process import Process
folder = pathlib.Path(sys.argv[1])
def start(name, *command):
    process = Process(name, command, env={}, port=0, log=folder / name)
    process.start()
    return process
start("ended", "sleep", "300").kill()
one = start("one", "sleep", "300")
two = start("two", "sh", "-c", "sleep 301 & sleep 302")
print(one.pid, two.pid, flush=True)
time.sleep(300)
"""


def an_owner(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """Start the program; return it, and the processes that it has left running."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _STARTS, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout
    return owner, [int(pid) for pid in owner.stdout.readline().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_a_process_started_ends_with_it(tmp_path: Path, number: signal.Signals) -> None:
    owner, groups = an_owner(tmp_path)

    def has_children() -> list[psutil.Process]:
        one, two = map(psutil.Process, groups)
        found = [one, two, *two.children()]
        assert len(found) == 4
        return found

    family = eventually(has_children)

    owner.send_signal(number)
    owner.wait(10)

    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_the_guardian_is_spared_where_the_program_is_killed_by_name(tmp_path: Path) -> None:
    owner, _ = an_owner(tmp_path)
    family = psutil.Process(owner.pid).children()
    guardians = [one for one in family if "read" in " ".join(one.cmdline())]
    assert len(guardians) == 1
    assert "local_stack" not in " ".join(guardians[0].cmdline())
    assert os.getsid(guardians[0].pid) == guardians[0].pid  # a terminal's signals pass it by
    owner.kill()
    owner.wait(10)
    psutil.wait_procs(family, timeout=10)
