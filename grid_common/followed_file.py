"""Files that a service reads at start and again whenever they change."""

import os
from pathlib import Path

_MAX_BYTES = 1_048_576


class FileFault(ValueError):
    """The file is unusable; the message says why."""


def read_text(path: Path) -> str:
    """Read a UTF-8 text file.

    Raises:
        FileFault: it cannot be read, is too long, or is not UTF-8.
    """
    try:
        if not path.is_file():  # reading a pipe would block
            raise FileFault("there is no such file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise FileFault(f"it cannot be read ({reason})") from None
    if len(content) > _MAX_BYTES:
        raise FileFault(f"it is over {_MAX_BYTES} bytes long")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFault("it is not UTF-8 text") from None


class FollowedFile:
    """Notices changes of a file. Create it before reading the file, so that none is missed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature = self._sign()

    def has_changed(self) -> bool:
        """Return whether the file has changed since the last call; read it after that."""
        before, self._signature = self._signature, self._sign()
        return self._signature != before

    def _sign(self) -> tuple[int, ...] | None:
        """Return a value that changes when the file changes; None if there is no file."""
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
