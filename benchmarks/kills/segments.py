"""A run in segments, each with a grid, a ledger and a seed of its own."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.kills.options import Options

Document = Mapping[str, Any]


class Segment(NamedTuple):
    """One segment to run.

    Attributes:
        ledger: where the gateway keeps its sessions.
        kills: parts to kill.
        seed: draws its faults and vehicles.
    """

    ledger: str
    kills: int
    seed: int


class Segments:
    """Those that are done, in a file for as long as the run goes on, so that it can go on later."""

    def __init__(self, file: Path | None) -> None:
        """Read those that are there; with None they are in memory alone.

        Raises:
            OSError, ValueError: the file cannot be read.
        """
        self._file = file
        self.done: list[dict[str, Any]] = []
        if file is not None and file.exists():
            self.done = json.loads(file.read_text(encoding="utf-8"))

    def add(self, document: dict[str, Any]) -> None:
        """Add one that is done."""
        self.done.append(document)
        if self._file is not None:
            write_whole(self._file, json.dumps(self.done, indent=1) + "\n")

    def finish(self) -> None:
        """Forget them: the report has them."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def agrees(document: Document) -> bool:
    """Whether a segment ran to its end, and all agrees."""
    return not document["troubles"]


def next_segment(done: Sequence[Document], options: Options) -> Segment | None:
    """Return what to run next: the ledgers in turns; None where each has its kills.

    Those in which something did not agree count for nothing: others take their place.
    """
    killed = dict.fromkeys(options.ledgers, 0)
    seeds: dict[str, set[int]] = {ledger: set() for ledger in options.ledgers}
    for one in done:
        if one["ledger"] in killed:
            seeds[one["ledger"]].add(one["seed"])
            killed[one["ledger"]] += one["kills"] if agrees(one) else 0
    ledger = min(options.ledgers, key=killed.__getitem__)
    left = options.kills - killed[ledger]
    if left <= 0:
        return None
    seed = options.seed
    while seed in seeds[ledger]:
        seed += 1
    return Segment(ledger, min(left, options.segment), seed)


def write_whole(file: Path, text: str) -> None:
    """Write a file in one go: who reads it finds the old one or the new one, never a half."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
