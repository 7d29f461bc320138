"""The file of API keys: read at start, and again whenever it changes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from charge_request_service.doors.keys import KeyRing, KeysError
from grid_common.logs import Log

# How long a change may go unnoticed, seconds. Looking costs a few microseconds, once in that time.
_LOOK_EVERY_S = 1.0
_MOST_BYTES = 1_048_576

_Signature = tuple[int, ...] | None


def read_keys(path: Path) -> KeyRing:
    """Read a file of keys.

    Raises:
        KeysError: it cannot be read, or not be used; the message says why.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise KeysError("there is no such file")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown fault").lower()
        raise KeysError(f"it cannot be read ({reason})") from None
    if len(content) > _MOST_BYTES:
        raise KeysError(f"it is over {_MOST_BYTES} bytes long")
    try:
        return KeyRing.parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise KeysError("it is not text in UTF-8") from None


class KeyFile:
    """A ring of keys that follows its file; one that cannot be used leaves the old keys in force.

    It looks at the file when a key is presented, so that it needs no task of its own.
    """

    def __init__(
        self, path: Path, log: Log, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the file.

        Raises:
            KeysError: it cannot be used.
        """
        self._path = path
        self._log = log
        self._clock = clock
        self._signature = _signature(path)  # from before the reading: a later change differs
        self._ring = read_keys(path)
        self._look_again = clock() + _LOOK_EVERY_S

    def holder(self, key: str) -> str | None:
        """Return the name of a key's holder, None if nobody has it."""
        now = self._clock()
        if now >= self._look_again:
            self._look_again = now + _LOOK_EVERY_S
            self._follow()
        return self._ring.holder(key)

    def _follow(self) -> None:
        signature = _signature(self._path)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._ring = read_keys(self._path)
        except KeysError as error:
            self._log.error(
                "API keys not reloaded",
                file=str(self._path),
                reason=str(error),
                in_force=f"the {len(self._ring)} keys read before",
            )
        else:
            self._log.info("API keys reloaded", file=str(self._path), keys=len(self._ring))


def _signature(path: Path) -> _Signature:
    """Tell one state of a file from the next; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev
