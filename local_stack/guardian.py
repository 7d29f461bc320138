"""Kills the processes that another process has started when that one ends, even by SIGKILL.

A guardian is a separate program that reads a pipe: `+PID` adds a process group to its list, `-PID`
removes it. Only its owner has the other end, so the pipe ends with the owner. Then the guardian
kills every group that is still on the list.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# A program adds itself to the list before it runs, so that none is ever missed. The shell's
# standard input is the pipe, which the program does not inherit, because that would keep the pipe
# open.
_ENTER_THEN_RUN = 'echo "+$$" >&0; exec "$@" </dev/null'


class Guardian:
    """The guardian of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._popen: subprocess.Popen[bytes] | None = None

    def pipe(self) -> int:
        """Return the pipe's file descriptor, the standard input for `guarded` commands."""
        with self._lock:
            if self._popen is None or self._popen.poll() is not None:
                self._popen = subprocess.Popen(  # noqa: S603 - this file
                    # As text, so that `pkill -f` with this package's name does not match it.
                    [sys.executable, "-I", "-S", "-c", Path(__file__).read_text()],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            if self._popen.stdin is None:
                raise RuntimeError("a guardian without a pipe")
            return self._popen.stdin.fileno()

    def release(self, group: int) -> None:
        """Remove a process group that has ended from the list."""
        with suppress(BrokenPipeError):
            os.write(self.pipe(), f"-{group}\n".encode())


def guarded(command: Sequence[str]) -> list[str]:
    """Return a command that adds itself to the guardian's list and then becomes `command`."""
    return ["/bin/sh", "-c", _ENTER_THEN_RUN, "sh", *command]


def main() -> None:
    """Guard until the pipe ends."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line.startswith("+") else groups.discard
        change(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
