"""Memory of a service according to the kernel (Linux)."""

import re
from pathlib import Path

from local_stack.process import Process


class Memory:
    """How much the memory of a process and its children has grown, up to its peak."""

    def __init__(self, process: Process) -> None:
        """Start to measure."""
        self._pids = family(process.pid)
        for pid in self._pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # reset the peak
        self._before_mb = self._total("VmRSS")

    @property
    def grown_mb(self) -> float:
        """Growth of resident memory from the start to its peak, MB."""
        return self.peak_mb - self._before_mb

    @property
    def peak_mb(self) -> float:
        """Peak of resident memory since the start, MB; shared memory counts for each process."""
        return self._total("VmHWM")

    def _total(self, field: str) -> float:
        return sum(_mb(pid, field) for pid in self._pids)


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def _mb(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, f"process {pid} has ended"
    return int(found[1]) / 1000
