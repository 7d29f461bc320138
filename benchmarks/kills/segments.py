"""A run in segments, each with its own grid, ledger and seed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.results import save
from benchmarks.kills.options import Options

Document = Mapping[str, Any]


class Segment(NamedTuple):
    """One segment to run.

    Attributes:
        ledger: kind of the gateway's ledger.
        kills: number of parts to kill.
        seed: seed of its faults and vehicles.
    """

    ledger: str
    kills: int
    seed: int


class Segments:
    """The finished segments of a run, in a file from which an interrupted run continues."""

    def __init__(self, file: Path | None) -> None:
        """Read the finished ones; with None they are kept in memory only.

        Raises:
            OSError, ValueError: the file cannot be read.
        """
        self._file = file
        self.done: list[dict[str, Any]] = []
        if file is not None and file.exists():
            self.done = json.loads(file.read_text(encoding="utf-8"))

    def add(self, document: dict[str, Any]) -> None:
        """Add a finished segment."""
        self.done.append(document)
        if self._file is not None:
            save(self._file, self.done)

    def finish(self) -> None:
        """Delete the file: the report contains the segments."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


def agrees(document: Document) -> bool:
    """Return whether a segment was completed without differences."""
    return not document["troubles"]


def next_segment(done: Sequence[Document], options: Options) -> Segment | None:
    """Return the next segment, with the ledgers in turn; None if each has its kills.

    Failed segments do not count: others take their place.
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
