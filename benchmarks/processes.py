"""The processes of a part, as the system sees them."""

import psutil

from local_stack.process import Process


def family(process: Process) -> list[psutil.Process]:
    """List a process and all that it started."""
    top = psutil.Process(process.pid)
    return [top, *top.children(recursive=True)]
