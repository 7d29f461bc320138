"""How much CPU time other programs used during a run, which affects times without being visible.

Linux only. Elsewhere, and if the system's figures do not cover exactly this process' CPUs (as in
some containers), nothing is reported.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.harness.machine import cores

_PROC = Path("/proc")
# Columns of /proc/stat: user, nice, system, irq, softirq and steal count as work.
_WORK = (0, 1, 2, 5, 6, 7)
# Columns of /proc/PID/stat after the name: session, user and system time in ticks.
_SESSION, _USER, _SYSTEM = 3, 11, 12


class CpuContention:
    """Measures the CPUs during one run."""

    def __init__(self, sessions: Callable[[], Collection[int]], proc: Path = _PROC) -> None:
        """Start to measure.

        Args:
            sessions: returns the sessions (IDs of their leaders) of the run's own processes.
            proc: the proc file system.
        """
        self._sessions = sessions
        self._proc = proc
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._began = self._machine()
        self.look()

    def look(self) -> None:
        """Record the CPU time of the run's own processes; call this before killing one."""
        sessions = self._sessions()
        # Processes found at the first look have used time before; later ones have not.
        is_first = not self._last
        for entry in self._proc.iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            pid = int(entry.name)
            if pid == os.getpid() or int(fields[_SESSION]) in sessions:
                used = int(fields[_USER]) + int(fields[_SYSTEM])
                self._first.setdefault(pid, used if is_first else 0)
                self._last[pid] = used

    def share(self) -> float | None:
        """Return the share (0 to 1) of CPU time that other programs have used since the start."""
        self.look()
        now = self._machine()
        if self._began is None or now is None or now[1] == self._began[1]:
            return None
        own = sum(self._last.values()) - sum(self._first.values())
        work, time = now[0] - self._began[0], now[1] - self._began[1]
        return max(0.0, (work - own) / time)

    def _machine(self) -> tuple[int, int] | None:
        """Return the ticks of work and in total, over all CPUs."""
        try:
            lines = (self._proc / "stat").read_text().splitlines()
        except OSError:
            return None
        processors = sum(line.startswith("cpu") for line in lines) - 1
        if processors != cores():
            return None
        ticks = [int(field) for field in lines[0].split()[1:9]]
        return sum(ticks[column] for column in _WORK), sum(ticks)
