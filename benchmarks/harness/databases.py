"""Empty databases for the ledger."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.errors import CannotMeasure
from local_stack.postgresql import PostgreSQL, find_programs

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)


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
        CannotMeasure: it is not installed, or does not start.
    """
    programs = find_programs()
    if programs is None:
        raise CannotMeasure(missing(POSTGRESQL))
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
        CannotMeasure: PostgreSQL is not installed, or does not start.
    """
    if kind == SQLITE:
        yield f"sqlite:///{folder / 'ledger.sqlite'}"
        return
    with server() as one:
        yield one.new_database()
