"""The operating system's view of a part's processes."""

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
