"""Measures the grid's processes every few seconds: memory, open files, threads."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from benchmarks.harness.meter import family
from local_stack.process import Process

_EVERY_S = 2.0


class Sample(NamedTuple):
    """Resources of a part's processes at a time. Memory is resident, bytes."""

    at_s: float
    memory: int
    files: int
    threads: int


@dataclass(slots=True)
class Life:
    """A part from its start to its end, with the same processes."""

    part: str
    pids: tuple[int, ...]
    samples: list[Sample] = field(default_factory=list)

    def between(self, begin_s: float, end_s: float) -> list[Sample]:
        """Return the samples of a period."""
        return [sample for sample in self.samples if begin_s <= sample.at_s <= end_s]


class Meter:
    """Measures parts from `start` to `stop`, in its own thread."""

    def __init__(self, parts: Mapping[str, Process], now: Callable[[], float]) -> None:
        """Prepare; `now` returns the seconds of the run."""
        self.lives: list[Life] = []
        self._parts = parts
        self._now = now
        self._latest: dict[str, Life] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start to measure."""
        self._thread.start()

    def stop(self) -> None:
        """Stop measuring."""
        self._stopped.set()
        self._thread.join()

    def latest(self) -> dict[str, Sample]:
        """Return each part's last sample."""
        return {name: life.samples[-1] for name, life in list(self._latest.items())}

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            for name, process in self._parts.items():
                self._measure(name, process)
            self._stopped.wait(max(0.1, began + _EVERY_S - time.monotonic()))

    def _measure(self, name: str, process: Process) -> None:
        if not process.running:
            return
        try:
            members = family(process)
            sample = Sample(
                self._now(),
                sum(one.memory_info().rss for one in members),
                sum(one.num_fds() for one in members),
                sum(one.num_threads() for one in members),
            )
        except psutil.Error:  # it is just ending
            return
        pids = tuple(sorted(one.pid for one in members))
        life = self._latest.get(name)
        if life is None or life.pids != pids:
            if len(pids) < 2:  # a master without a worker
                return
            life = Life(name, pids)
            self.lives.append(life)
        life.samples.append(sample)
        self._latest[name] = life
