"""The directory of a grid's logs and data, used by one grid at a time."""

import fcntl
import os
from pathlib import Path
from typing import IO

from local_stack.process import StartError


class Folder:
    """A directory that a grid locks for itself; the lock ends with the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    def acquire(self) -> None:
        """Create the directory if necessary, and lock it until `release`.

        Raises:
            StartError: it cannot be used, or another grid uses it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "grid.pid").open("a+")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock.truncate(0)
            self._lock.write(f"{os.getpid()}\n")
            self._lock.flush()
        except BlockingIOError:
            raise StartError(
                f"{self.path} is used by another grid (process {self._holder()}): stop that one, "
                "or choose another folder with --folder"
            ) from None
        except OSError as error:
            raise unusable(self.path, error) from None

    def release(self) -> None:
        """Unlock it for other grids."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _holder(self) -> str:
        return (self.path / "grid.pid").read_text().strip() or "unknown"


def unusable(folder: Path, error: OSError) -> StartError:
    """Return the error of an unusable directory, with the remedy."""
    reason = (error.strerror or "cannot be written").lower()
    return StartError(
        f"{error.filename or folder}: {reason}; choose another folder (`make run ARGS=--help`)"
    )
