"""The substations that are set, followed while SUBSTATIONS_FILE changes."""

from grid_common.followed_file import file_signature
from grid_common.logs import Log
from load_balancer.settings import Settings


class EntriesFile:
    """Reads the entries again when the file has changed; a bad edit leaves the last good ones."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.entries = settings.entries  # as they were when the service was started
        self.problem: str | None = None  # why the file as it is now cannot be used
        self._settings = settings
        self._path = settings.substations_file
        self._log = log
        self._signature = None if self._path is None else file_signature(self._path)
        self._read()  # this process may be a later one, or the file another by now

    def look(self) -> bool:
        """Look whether the file has changed; return whether there are other entries now."""
        if self._path is None:
            return False
        signature = file_signature(self._path)
        if signature == self._signature:
            return False
        self._signature = signature
        return self._read()

    def _read(self) -> bool:
        before, file = self.entries, str(self._path)
        try:
            self.entries = self._settings.read_entries()
        except ValueError as error:
            self.problem = f"{file}: {error}"
            self._log.error(
                "substations not reloaded",
                file=file,
                reason=str(error),
                in_force=f"the {len(before)} entries read before",
            )
            return False
        was_bad, self.problem = self.problem is not None, None
        changed = self.entries != before
        if changed or was_bad:
            self._log.info("substations reloaded", file=file, entries=len(self.entries))
        return changed
