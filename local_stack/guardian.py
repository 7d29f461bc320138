"""Ends what a process has started when that process is gone, even where SIGKILL ended it.

A guardian is a program of its own that reads a pipe: `+PID` puts a process group on its list,
`-PID` takes it off. Only its owner holds the other end, so the pipe ends with the owner; then the
guardian kills every group that is still on the list.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# A program enters itself on the list before it is run, so that none is ever left out. The shell's
# standard input is the pipe, which the program does not inherit: it would keep the pipe open.
_ENTER_THEN_RUN = 'echo "+$$" >&0; exec "$@" </dev/null'


class Guardian:
    """The guardian of this process, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._popen: subprocess.Popen[bytes] | None = None

    def pipe(self) -> int:
        """Return the pipe's file descriptor, to be the standard input of `guarded` commands."""
        with self._lock:
            if self._popen is None or self._popen.poll() is not None:
                self._popen = subprocess.Popen(  # noqa: S603 - this file
                    # As text: a `pkill -f` with this package's name is to spare it.
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
        """Take a process group that has ended off the list."""
        with suppress(BrokenPipeError):
            os.write(self.pipe(), f"-{group}\n".encode())


def guarded(command: Sequence[str]) -> list[str]:
    """Return a command that enters itself on the guardian's list and becomes `command`."""
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
