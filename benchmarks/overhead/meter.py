"""What processes use: CPU time and memory, each with all that it started."""

from collections.abc import Iterable

import psutil

from benchmarks.processes import family
from local_stack.process import Process


def cpu_s(processes: Iterable[Process]) -> float:
    """Return the CPU time that processes have used, seconds."""
    times = (part.cpu_times() for process in processes for part in family(process))
    return sum(time.user + time.system for time in times)


def memory_bytes(processes: Iterable[Process]) -> int:
    """Return the memory that is the processes' own, bytes; what they share is not counted."""
    return sum(part.memory_full_info().uss for process in processes for part in family(process))


def machine_s() -> tuple[float, float]:
    """Return the CPU time that the machine has used and had, seconds."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait, sum(times)
