"""Ledgers that can be made to fail."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.harness import databases
from benchmarks.harness.errors import CannotMeasure
from local_stack.small_disk import CannotMount, fill_up, small_disk

KINDS = ("disk full", "file locked", "postgresql frozen", "postgresql stopped")
Inject = Callable[[], AbstractContextManager[None]]
_DISK_MB = 8


class CannotFail(Exception):
    """That fault cannot be injected here; the message says why."""


@contextmanager
def faulty(kind: str, folder: Path) -> Iterator[tuple[str, Inject]]:
    """Create a ledger; yield its URL, and a context manager during which it fails."""
    if kind == "disk full":
        disk = folder / "disk"
        disk.mkdir()
        if os.getuid():
            raise CannotFail("only root can mount a small disk")
        with ExitStack() as mounted:
            try:
                mounted.enter_context(small_disk(disk, _DISK_MB))
            except CannotMount as error:
                raise CannotMeasure(str(error)) from None
            filler = disk / "filler"
            inject = partial(_during, partial(fill_up, filler), filler.unlink)
            yield f"sqlite:///{disk / 'ledger.sqlite'}", inject
    elif kind == "file locked":
        file = folder / "ledger.sqlite"
        yield f"sqlite:///{file}", partial(_locked, file)
    else:
        if why := databases.missing(databases.POSTGRESQL):
            raise CannotFail(why)
        with databases.server() as server:
            begin, end = (
                (server.freeze, server.thaw)
                if kind == "postgresql frozen"
                else (server.stop, server.start)
            )
            yield server.new_database(), partial(_during, begin, end)


@contextmanager
def _during(begin: Callable[[], None], end: Callable[[], object]) -> Iterator[None]:
    begin()
    try:
        yield
    finally:
        end()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock, in this process; the gateway's waits for it."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as one:
        one.execute("BEGIN EXCLUSIVE")
        yield
