"""The journal's file: locked, appended to, replaced. Blocks; any thread may call it."""

import errno
import fcntl
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gevent.monkey import get_original

from substation_service.journal_format import CorruptJournal, Kept, decode, encode

__all__ = ["JournalFile", "UnusableJournal", "check_journal"]

# What ran before may take this long to let go of the file, seconds.
_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.1
# After any of these the file holds what it held before, once what was added is cut off.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UnusableJournal(Exception):
    """The journal cannot be used; the message says why, and what to do."""


class JournalFile:
    """A journal's file, held for this process alone by a lock that ends with it."""

    def __init__(self, path: Path) -> None:
        """Take the file, which is made where it is missing.

        Raises:
            UnusableJournal: it cannot be written, or another process has it.
        """
        self.path = path
        self.size = 0
        self._new = path.with_name(f"{path.name}.new")
        # Not gevent's: a thread of its own may hold it while the event loop waits for it.
        self._mutex = get_original("_thread", "allocate_lock")()
        self._is_sound = False  # what is in the file is what was written, and no more
        try:
            self._lock = os.open(
                path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644
            )
            self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UnusableJournal(
                f"JOURNAL={path}: {(error.strerror or 'cannot be opened').lower()}; give the path "
                "of a file, in a folder that is there, that this user may write"
            ) from None
        self._take()

    def _take(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        sleep = get_original("time", "sleep")
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise UnusableJournal(
                        f"JOURNAL={self.path}: another substation uses it; stop that one, or give "
                        "each a file of its own"
                    ) from None
                sleep(_LOOK_AGAIN_S)
            else:
                return

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)
        os.close(self._lock)

    def read(self) -> Kept:
        """Read what it keeps.

        Raises:
            UnusableJournal: it is no journal, or a part of it was changed.
        """
        try:
            with open(self.path, "rb") as lines:
                return Kept(decode(lines))
        except (CorruptJournal, KeyError, TypeError, ValueError, IndexError) as error:
            raise UnusableJournal(
                f"JOURNAL={self.path} is corrupt: {error}. What sessions got here cannot be told "
                "from it. Restore the file from a copy; or, if there is none, move it away: then "
                "this substation begins anew, and a session that was here may be given energy a "
                "second time"
            ) from None
        except OSError as error:
            raise UnusableJournal(
                f"JOURNAL={self.path} cannot be read: {(error.strerror or str(error)).lower()}"
            ) from None

    def append(self, document: Mapping[str, Any]) -> None:
        """Add a commit; it is on the disk when this returns.

        Raises:
            OSError: it could not be written. The file holds what it held before; where even that is
                not sure, it has to be replaced.
        """
        line = encode(document)
        with self._mutex:
            if not self._is_sound:
                raise OSError(errno.EIO, "the journal has to be written anew")
            try:
                _write(self._fd, line)
                os.fdatasync(self._fd)
            except OSError as error:
                # After a sync that failed the kernel may have dropped what it could not write.
                self._is_sound = error.errno in _NO_ROOM and self._cut()
                raise
            self.size += len(line)

    @property
    def is_sound(self) -> bool:
        """Whether it can be appended to; else it has to be replaced."""
        return self._is_sound

    def _cut(self) -> bool:
        try:
            os.ftruncate(self._fd, self.size)
            os.fdatasync(self._fd)
        except OSError:
            return False
        return True

    def begin(self) -> int:
        """Begin the file that replaces this one, and return its descriptor."""
        return os.open(self._new, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_APPEND, 0o644)

    def add(self, fd: int, document: Mapping[str, Any]) -> None:
        """Add a commit to the file that replaces this one; not yet on the disk.

        Raises:
            OSError: it could not be written.
        """
        _write(fd, encode(document))

    def replace(self, fd: int) -> None:
        """Put the new file in the place of this one; that is on the disk when this returns.

        Raises:
            OSError: it could not be.
        """
        os.fdatasync(fd)
        with self._mutex:
            os.replace(self._new, self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            os.close(self._fd)
            self._fd, self.size, self._is_sound = fd, os.fstat(fd).st_size, True

    def abandon(self, fd: int) -> None:
        """Do without the new file."""
        with suppress(OSError):
            os.close(fd)
        with suppress(OSError):
            self._new.unlink()

    def write_anew(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Replace the file in one go.

        Raises:
            OSError: it could not be.
        """
        fd = self.begin()
        try:
            for document in documents:
                self.add(fd, document)
            self.replace(fd)
        except OSError:
            if fd != self._fd:
                self.abandon(fd)
            raise


def check_journal(path: Path | None) -> None:
    """Exit with status 2, and say why, where a substation could not use its journal."""
    if path is None:
        return
    try:
        file = JournalFile(path)
        try:
            file.read()
        finally:
            file.close()
    except UnusableJournal as error:
        sys.stderr.write(f"substation_service: {error}\n")
        sys.exit(2)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
