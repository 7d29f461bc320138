"""Output files: each is independent, written to a temporary file and then renamed.

So an interrupted run keeps the old files, and a failed output does not affect the others. Anything
but an ordinary file (a pipe, a terminal, /dev/null) is written directly.
"""

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO


class OutputError(Exception):
    """An output cannot be written; the message names option, path, fault and remedy."""


class Output:
    """One file, opened before the run, so that a wrong path does not cost the results."""

    def __init__(self, name: str, path: Path) -> None:
        """Open it; `name` is its name in messages.

        Raises:
            OutputError: it cannot be written.
        """
        self.path = path
        self._name = name
        self._target = Path(os.path.realpath(path))  # a symbolic link is kept
        self._aside: Path | None = None
        try:
            self._file = self._open()
        except OSError as error:
            raise OutputError(f"{name}: {reason(error)}; name a file to write") from None

    def _open(self) -> TextIO:
        try:
            found = self._target.stat()
        except FileNotFoundError:
            return self._open_aside()
        in_place = _open(self._target, os.O_WRONLY)
        if not stat.S_ISREG(found.st_mode):
            return in_place
        try:
            aside = self._open_aside()
        except OSError:  # no other file can be created in the directory
            return in_place
        in_place.close()
        with contextlib.suppress(OSError):  # only its owner can preserve the ownership
            os.fchmod(aside.fileno(), stat.S_IMODE(found.st_mode))
            os.fchown(aside.fileno(), found.st_uid, found.st_gid)
        return aside

    def _open_aside(self) -> TextIO:
        aside = self._target.with_name(f".{self._target.name[:200]}.{secrets.token_hex(4)}.tmp")
        file = _open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._aside = aside
        return file

    def write(self, render: Callable[[TextIO], object]) -> None:
        """Write the contents, and put the file in place.

        Raises:
            OutputError: it could not be written.
        """
        try:
            with self._file as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    file.truncate(0)
                render(file)
                file.flush()
                if self._aside is not None:
                    os.fsync(file.fileno())
            if self._aside is not None:
                self._put_in_place(self._aside)
        except OSError as error:
            raise OutputError(f"{self._name}: {reason(error)}; it was not written") from None
        except Exception as error:
            raise OutputError(
                f"{self._name}: was not written; the tester itself failed: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _put_in_place(self, aside: Path) -> None:
        try:
            aside.replace(self._target)
        except OSError:  # for example a file that is mounted into a container
            shutil.copyfile(aside, self._target)
            aside.unlink()
        self._aside = None

    def close(self) -> None:
        """Remove the temporary file if it was not put in place."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._aside is not None:
            self._aside.unlink(missing_ok=True)


def check_apart(places: Mapping[str, Path | int]) -> None:
    """Check that no two outputs are the same file; each is a path or an open file, by its purpose.

    Raises:
        OutputError: two are.
    """
    taken: dict[object, str] = {}
    for name, place in places.items():
        identity = _identity(place)
        if identity in taken:
            raise OutputError(f"{name}: is the same file as {taken[identity]}; name another one")
        if identity is not None:
            taken[identity] = name


def _identity(place: Path | int) -> object:
    """Return the identity of a file; None for devices, which several outputs may share."""
    try:
        found = os.stat(place)
    except FileNotFoundError:
        return os.path.realpath(place) if isinstance(place, Path) else None
    except OSError:
        return None
    kept = stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)
    return (found.st_dev, found.st_ino) if kept else None


def reason(error: OSError) -> str:
    """Return what went wrong, in words."""
    return (error.strerror or "cannot be written").lower()


def _open(path: Path, flags: int) -> TextIO:
    # A file's name may contain surrogates: in a report they are escaped.
    return os.fdopen(
        os.open(path, flags, 0o666), "w", encoding="utf-8", errors="backslashreplace", newline=""
    )
