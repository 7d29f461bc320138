"""Measures processes with their children: CPU time and memory."""

from collections.abc import Iterable
from typing import Protocol

import psutil


class HasPid(Protocol):
    """A part that runs as a process."""

    @property
    def pid(self) -> int:
        """Process id of its first process."""
        ...


def family(process: HasPid) -> list[psutil.Process]:
    """Return a process and all its children."""
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]


def cpu_s(processes: Iterable[HasPid]) -> float:
    """Return the CPU time used by processes, seconds."""
    times = (part.cpu_times() for process in processes for part in family(process))
    return sum(time.user + time.system for time in times)


def memory_bytes(processes: Iterable[HasPid]) -> int:
    """Return the private memory of processes, bytes; shared memory is not counted."""
    return sum(part.memory_full_info().uss for process in processes for part in family(process))


def machine_s() -> tuple[float, float]:
    """Return the CPU time that the machine has used, and in total, seconds."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait, sum(times)
