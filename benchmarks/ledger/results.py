"""The results and their file: each scene can be measured again by itself."""

import json
from pathlib import Path
from typing import Any

from benchmarks.harness.results import save, to_json

FILE = "ledger.json"


class Results:
    """The results by scene; a file keeps them together."""

    def __init__(self, folder: Path | None) -> None:
        """Start with the results in a directory's file; None for none."""
        self._file = None if folder is None else folder / FILE
        self.scenes: dict[str, Any] = {}
        if self._file is not None and self._file.exists():
            self.scenes = json.loads(self._file.read_bytes())

    def add(self, scene: str, machine: dict[str, str], found: Any) -> None:
        """Replace a scene's results, and write the file."""
        self.scenes[scene] = json.loads(to_json({"machine": machine, "found": found}))
        if self._file is not None:
            save(self._file, dict(sorted(self.scenes.items())))
