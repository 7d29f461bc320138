"""How much of the machine others used during a run: what blurs times without being seen in them.

Linux only; elsewhere, and where the machine's figures are not those of the processors that this
process may use (as in some containers), nothing is told.
"""

import os
from collections.abc import Callable, Collection
from pathlib import Path

from benchmarks.machine import cores

_PROC = Path("/proc")
# Of /proc/stat's columns: user, nice, system, irq, softirq and steal are work, the rest is rest.
_WORK = (0, 1, 2, 5, 6, 7)
# Of /proc/PID/stat's, after the name: session, user and system time in ticks.
_SESSION, _USER, _SYSTEM = 3, 11, 12


class CpuContention:
    """Watches the processors for one run."""

    def __init__(self, sessions: Callable[[], Collection[int]], proc: Path = _PROC) -> None:
        """Begin to watch.

        Args:
            sessions: tells the sessions (ids of their leaders) that belong to the run.
            proc: where the system's figures are.
        """
        self._sessions = sessions
        self._proc = proc
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._began = self._machine()
        self.look()

    def look(self) -> None:
        """Note what the run's own processes have used; to be called before one is killed."""
        sessions = self._sessions()
        # What is there at the first look has worked before; what comes later has not.
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
        """Return the share (0 to 1) of the processors' time that others have used since."""
        self.look()
        now = self._machine()
        if self._began is None or now is None or now[1] == self._began[1]:
            return None
        own = sum(self._last.values()) - sum(self._first.values())
        work, time = now[0] - self._began[0], now[1] - self._began[1]
        return max(0.0, (work - own) / time)

    def _machine(self) -> tuple[int, int] | None:
        """Return the ticks worked and passed, over all processors."""
        try:
            lines = (self._proc / "stat").read_text().splitlines()
        except OSError:
            return None
        processors = sum(line.startswith("cpu") for line in lines) - 1
        if processors != cores():
            return None
        ticks = [int(field) for field in lines[0].split()[1:9]]
        return sum(ticks[column] for column in _WORK), sum(ticks)
