"""Measures processes with their children: CPU time and memory."""

from collections.abc import Iterable

import psutil

from benchmarks.processes import HasPid, family


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
