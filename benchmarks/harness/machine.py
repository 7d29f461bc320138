"""The machine that a benchmark ran on, without identifying it, and the measured version."""

import os
import platform
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.errors import CannotMeasure
from local_stack.process import ROOT


def describe() -> dict[str, str]:
    """Return processor, cores, memory, system and Python version."""
    return {
        "processor": _processor(),
        "cores": str(cores()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_distribution()}, Linux {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def sentence(machine: Mapping[str, str]) -> str:
    """Return a description as a sentence of a report."""
    return "{processor}, {cores} cores, {memory}; {system}; Python {python}.".format_map(machine)


def cores() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not Linux


def check_files(count: int) -> None:
    """Check that `allow_files` can allow so many open files.

    Raises:
        CannotMeasure: it cannot.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < count:
        raise CannotMeasure(f"{count} open files are needed and {hard} allowed; raise `ulimit -Hn`")


def allow_files(count: int) -> None:
    """Raise the limit on open files for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def commit() -> str | None:
    """Return the commit, with a plus if files differ from it; None outside a repository."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!*/results/*")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}+" if changed else name


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()
