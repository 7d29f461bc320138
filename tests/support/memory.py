"""Memory of a service as the kernel counts it (Linux)."""

import re
from pathlib import Path

from local_stack.process import Process


class Memory:
    """How much more a process and its children take than they did, at their worst moment."""

    def __init__(self, process: Process) -> None:
        """Begin to measure."""
        self._pids = family(process.pid)
        for pid in self._pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak so far
        self._before_mb = self._total("VmRSS")

    @property
    def grown_mb(self) -> float:
        """Growth of resident memory since the beginning, to its peak, MB."""
        return self.peak_mb - self._before_mb

    @property
    def peak_mb(self) -> float:
        """Most resident memory since the beginning, MB; what processes share counts for each."""
        return self._total("VmHWM")

    def _total(self, field: str) -> float:
        return sum(_mb(pid, field) for pid in self._pids)


def family(pid: int) -> list[int]:
    """List a process and its children, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def _mb(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, f"process {pid} has ended"
    return int(found[1]) / 1000
