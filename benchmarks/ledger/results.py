"""The results and their file: each scene can be measured again by itself."""

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

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
        document = json.loads(json.dumps(found, default=_plain))
        self.scenes[scene] = {"machine": machine, "found": document}
        if self._file is not None:
            text = json.dumps(dict(sorted(self.scenes.items())), indent=1)
            self._file.write_text(f"{text}\n", encoding="utf-8")


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(type(value).__name__)
