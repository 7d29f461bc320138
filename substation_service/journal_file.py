"""The journal's file: locked, appended to, replaced. Blocking; safe to call from any thread."""

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

# How long a previous process may take to release the file, seconds.
_PATIENCE_S = 10.0
_LOOK_AGAIN_S = 0.1
# After any of these errors the file is intact once the appended part is truncated.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UnusableJournal(Exception):
    """The journal cannot be used; the message says why and what to do."""


class JournalFile:
    """A journal's file, locked for this process; the lock ends with the process."""

    def __init__(self, path: Path) -> None:
        """Open and lock the file; create it if it does not exist.

        Raises:
            UnusableJournal: it cannot be written, or another process uses it.
        """
        self.path = path
        self.size = 0
        self._new = path.with_name(f"{path.name}.new")
        # Not gevent's lock: a native thread may hold it while the event loop waits for it.
        self._mutex = get_original("_thread", "allocate_lock")()
        self._is_sound = False  # whether the file contains exactly what was written
        try:
            self._lock = os.open(
                path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644
            )
            self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UnusableJournal(
                f"JOURNAL={path}: {(error.strerror or 'cannot be opened').lower()}; give the path "
                "of a file in an existing directory that this user may write"
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
                        "each its own file"
                    ) from None
                sleep(_LOOK_AGAIN_S)
            else:
                return

    def close(self) -> None:
        """Close the file and release the lock."""
        os.close(self._fd)
        os.close(self._lock)

    def read(self) -> Kept:
        """Read the journal.

        Raises:
            UnusableJournal: it is not a journal, or a part of it was changed.
        """
        try:
            with open(self.path, "rb") as lines:
                return Kept(decode(lines))
        except (CorruptJournal, KeyError, TypeError, ValueError, IndexError) as error:
            raise UnusableJournal(
                f"JOURNAL={self.path} is corrupt: {error}. The energy delivered to sessions here "
                "cannot be read from it. Restore the file from a copy. If there is none, move it "
                "away: the substation then starts with an empty journal, and a session that was "
                "here may be given its energy a second time"
            ) from None
        except OSError as error:
            raise UnusableJournal(
                f"JOURNAL={self.path} cannot be read: {(error.strerror or str(error)).lower()}"
            ) from None

    def append(self, document: Mapping[str, Any]) -> None:
        """Append a commit; it is on disk when this returns.

        Raises:
            OSError: it could not be written. The file is unchanged, or, if `is_sound` is False, has
                to be replaced.
        """
        line = encode(document)
        with self._mutex:
            if not self._is_sound:
                raise OSError(errno.EIO, "the journal has to be rewritten")
            try:
                _write(self._fd, line)
                os.fdatasync(self._fd)
            except OSError as error:
                # After a failed sync the kernel may have dropped the data that it could not write.
                self._is_sound = error.errno in _NO_ROOM and self._truncate()
                raise
            self.size += len(line)

    @property
    def is_sound(self) -> bool:
        """Whether it can be appended to; if not, it has to be replaced."""
        return self._is_sound

    def _truncate(self) -> bool:
        try:
            os.ftruncate(self._fd, self.size)
            os.fdatasync(self._fd)
        except OSError:
            return False
        return True

    def begin(self) -> int:
        """Create the file that is to replace this one; return its descriptor."""
        return os.open(self._new, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_APPEND, 0o644)

    def add(self, fd: int, document: Mapping[str, Any]) -> None:
        """Append a commit to the new file, without syncing it.

        Raises:
            OSError: it could not be written.
        """
        _write(fd, encode(document))

    def replace(self, fd: int) -> None:
        """Replace this file with the new one; that is on disk when this returns.

        Raises:
            OSError: it failed.
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
        """Delete the new file."""
        with suppress(OSError):
            os.close(fd)
        with suppress(OSError):
            self._new.unlink()

    def rewrite(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Replace the file in one step.

        Raises:
            OSError: it failed.
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
    """Exit with status 2 and an error message if a substation could not use its journal."""
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
