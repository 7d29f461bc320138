"""Files that a service reads at its start, and again whenever they change."""

import os
from pathlib import Path

_MAX_BYTES = 1_048_576

Signature = tuple[int, ...] | None


class FileFault(ValueError):
    """The file cannot be read; the message says why."""


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text.

    Raises:
        FileFault: it cannot be read, is too long, or no such text.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise FileFault("there is no such file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise FileFault(f"it cannot be read ({reason})") from None
    if len(content) > _MAX_BYTES:
        raise FileFault(f"it is over {_MAX_BYTES} bytes long")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFault("it is not text in UTF-8") from None


def file_signature(path: Path) -> Signature:
    """Tell one state of a file from the next; None if there is none.

    Taken before the file is read: a change meanwhile then shows at the next look.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
