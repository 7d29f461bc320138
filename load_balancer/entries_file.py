"""The configured substations, reloaded when SUBSTATIONS_FILE changes."""

from grid_common.followed_file import FollowedFile
from grid_common.logs import Log
from load_balancer.settings import Settings


class EntriesFile:
    """Reloads the entries when the file changes; an invalid file leaves the last valid ones."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.entries = settings.entries  # as of the start of the service
        self.problem: str | None = None  # why the current file is not in use
        self._settings = settings
        self._path = settings.substations_file
        self._log = log
        self._file = None if self._path is None else FollowedFile(self._path)
        self._read()  # the worker may have been restarted, and the file changed since

    def reload_if_changed(self) -> bool:
        """Check whether the file has changed; return whether the entries have."""
        return self._file is not None and self._file.has_changed() and self._read()

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
