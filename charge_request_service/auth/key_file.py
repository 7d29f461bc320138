"""The file of API keys: read at start and again whenever it changes."""

import time
from collections.abc import Callable
from pathlib import Path

from charge_request_service.auth.keys import KeyRing, KeysError
from grid_common.followed_file import FileFault, FollowedFile, read_text
from grid_common.logs import Log

# How long a change may go unnoticed, seconds. A check takes a few microseconds.
_CHECK_INTERVAL_S = 1.0


def read_keys(path: Path) -> KeyRing:
    """Read a key file.

    Raises:
        KeysError: it cannot be read or is invalid; the message says why.
    """
    try:
        return KeyRing.parse(read_text(path))
    except FileFault as error:
        raise KeysError(str(error)) from None


class KeyFile:
    """A key ring that follows its file; if a new version is invalid, the old keys stay in force.

    The file is checked when a key is presented, so no separate task is needed.
    """

    def __init__(
        self, path: Path, log: Log, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the file.

        Raises:
            KeysError: it is invalid.
        """
        self._path = path
        self._log = log
        self._clock = clock
        self._file = FollowedFile(path)
        self._ring = read_keys(path)
        self._next_check = clock() + _CHECK_INTERVAL_S

    def holder(self, key: str) -> str | None:
        """Return the name of a key's holder, or None if the key is unknown."""
        now = self._clock()
        if now >= self._next_check:
            self._next_check = now + _CHECK_INTERVAL_S
            self._follow()
        return self._ring.holder(key)

    def is_operator(self, name: str) -> bool:
        """Return whether a holder may see and stop everybody's sessions."""
        return name in self._ring.operators

    def _follow(self) -> None:
        if not self._file.has_changed():
            return
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
