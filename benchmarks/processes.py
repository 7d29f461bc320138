"""The operating system's view of a part's processes."""

import psutil

from local_stack.process import Process


def family(process: Process) -> list[psutil.Process]:
    """Return a process and all its children."""
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]
