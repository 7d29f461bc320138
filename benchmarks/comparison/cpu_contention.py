"""How much CPU time other programs used during a run, which affects times without being visible.

If the system's figures do not cover exactly this process' CPUs (as in some containers), nothing is
reported.
"""

from contextlib import suppress

import psutil

from benchmarks.harness import meter
from benchmarks.harness.machine import cores


class CpuContention:
    """Measures the CPUs during one run, whose own processes are this one and its children."""

    def __init__(self) -> None:
        """Start to measure."""
        self._began = _machine_s()
        self._first = _own_s()
        self._last = dict(self._first)

    def look(self) -> None:
        """Record the CPU time of the run's own processes; call this before killing one."""
        self._last |= _own_s()

    def share(self) -> float | None:
        """Return the share (0 to 1) of CPU time that other programs have used since the start."""
        self.look()
        now = _machine_s()
        if self._began is None or now is None or now[1] == self._began[1]:
            return None
        own = sum(self._last.values()) - sum(self._first.values())
        work, time = now[0] - self._began[0], now[1] - self._began[1]
        return max(0.0, (work - own) / time)


def _machine_s() -> tuple[float, float] | None:
    """Return the CPU time used, and in total, over all CPUs, seconds."""
    with suppress(OSError):  # the system does not show it
        if len(psutil.cpu_times(percpu=True)) == cores():
            return meter.machine_s()
    return None


def _own_s() -> dict[int, float]:
    """Return the CPU time used by each process of the run, seconds."""
    used = {}
    with suppress(OSError):
        for process in meter.family(psutil.Process()):
            with suppress(psutil.NoSuchProcess):  # it has just ended
                times = process.cpu_times()
                used[process.pid] = times.user + times.system
    return used
