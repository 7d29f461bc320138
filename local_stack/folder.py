"""The folder of a grid's logs and data, which one grid at a time may use."""

import fcntl
import os
from pathlib import Path
from typing import IO

from local_stack.process import StartError


class Folder:
    """A folder that its grid holds for itself, by a lock that ends with the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    def take(self) -> None:
        """Make the folder where it is missing, and hold it until `release`.

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
        """Let another grid use it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _holder(self) -> str:
        return (self.path / "grid.pid").read_text().strip() or "unknown"


def unusable(folder: Path, error: OSError) -> StartError:
    """Say why a folder cannot be used, with the remedy."""
    reason = (error.strerror or "cannot be written").lower()
    return StartError(
        f"{error.filename or folder}: {reason}; choose another folder (`make run ARGS=--help`)"
    )
