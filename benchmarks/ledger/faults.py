"""Ledgers that can be made to fail."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path

from benchmarks.harness import databases
from benchmarks.harness.errors import CannotMeasure
from local_stack.postgresql import PostgreSQL

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
        with _small_disk(disk):
            yield f"sqlite:///{disk / 'ledger.sqlite'}", partial(_full, disk / "filler")
    elif kind == "file locked":
        file = folder / "ledger.sqlite"
        yield f"sqlite:///{file}", partial(_locked, file)
    else:
        if why := databases.missing(databases.POSTGRESQL):
            raise CannotFail(why)
        with databases.server() as server:
            inject = _frozen if kind == "postgresql frozen" else _stopped
            yield server.new_database(), partial(inject, server)


@contextmanager
def _full(filler: Path) -> Iterator[None]:
    _fill_up(filler)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def _frozen(server: PostgreSQL) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def _stopped(server: PostgreSQL) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of a few megabytes on a directory, which requires root.

    Raises:
        CannotMeasure: it cannot be mounted here.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise CannotMeasure("a small disk cannot be mounted here: this requires root")
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", folder], check=True)


def _fill_up(filler: Path) -> None:
    """Write a file until its disk has no free page left."""
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock, in this process; the gateway's waits for it."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as one:
        one.execute("BEGIN EXCLUSIVE")
        yield
