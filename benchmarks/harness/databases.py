"""Empty databases for the ledger, and ways to make each fail."""

import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from local_stack.postgresql import PostgreSQL, find_programs

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)
_DISK_MB = 8


@contextmanager
def folder_of(name: str) -> Iterator[Path]:
    """Create a directory that PostgreSQL's user can access, and delete it in the end."""
    with tempfile.TemporaryDirectory(prefix=f"ledger-{name}-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def missing(kind: str) -> str | None:
    """Return what is not installed for it."""
    if kind == POSTGRESQL and find_programs() is None:
        return "PostgreSQL's server is not installed (apt-get install postgresql)"
    return None


@contextmanager
def server(folder: Path | None = None) -> Iterator[PostgreSQL]:
    """Run a private PostgreSQL server, whose directory stays if one is given.

    Raises:
        RuntimeError: it is not installed, or does not start.
    """
    programs = find_programs()
    if programs is None:
        raise RuntimeError(missing(POSTGRESQL))
    one = PostgreSQL(programs, folder)
    try:
        one.start()
        yield one
    finally:
        if folder is None:
            one.remove()
        else:
            one.kill()


@contextmanager
def empty(kind: str, folder: Path) -> Iterator[str]:
    """Create an empty ledger and yield its LEDGER_URL.

    Raises:
        RuntimeError: PostgreSQL is not installed, or does not start.
    """
    if kind == SQLITE:
        yield f"sqlite:///{folder / 'ledger.sqlite'}"
        return
    with server() as one:
        yield one.new_database()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of a few megabytes on a directory, which requires root.

    Raises:
        RuntimeError: it cannot be mounted here.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise RuntimeError("a small disk cannot be mounted here: this requires root")
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", folder], check=True)


def fill_up(filler: Path) -> None:
    """Write a file until its disk has no free page left."""
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock, in this process; the gateway's waits for it."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=10)) as one:
        one.execute("BEGIN EXCLUSIVE")
        yield
