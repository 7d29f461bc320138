"""Prepares the ledger before the gateway starts: checks it, and updates its tables."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import (
    LedgerNotReady,
    LedgerUnavailable,
    LedgerUnusable,
    may_be_ready_later,
    short_message,
)
from charge_request_service.sessions.migrations.run import NewerLedger, migrate

# Pause between attempts to reach a server that is not ready yet, seconds.
_RETRY_PAUSE_S = 0.2
# Larger files are not checked for damage: this size takes a second.
_MAX_CHECKED_BYTES = 268_435_456


def prepare(
    url: URL, *, patience_s: float = 0.0, on_wait: Callable[[LedgerNotReady], object] = repr
) -> None:
    """Check that a ledger can be used, and update its tables. One in memory needs neither.

    Args:
        url: result of `read_ledger_url`.
        patience_s: how long to wait for a server that is not ready yet, seconds.
        on_wait: called once, if the server is not ready.

    Raises:
        LedgerUnusable: the ledger cannot be used; the message says what to do.
    """
    database = Database(url)
    if database.in_memory:
        return None
    deadline, waits = time.monotonic() + patience_s, False
    try:
        while True:
            try:
                return _prepare(database)
            except LedgerNotReady as error:
                if time.monotonic() >= deadline:
                    raise
                if not waits:
                    on_wait(error)
                    waits = True
            time.sleep(_RETRY_PAUSE_S)
    finally:
        database.close()


def _prepare(database: Database) -> None:
    try:
        if database.file is not None:
            _check_access(database.file, database.name)
            database.lock_file()
        with database.engine.begin() as connection:
            migrate(connection)
            if database.file is not None:
                _check_integrity(connection, database)
    except NewerLedger as error:
        raise LedgerUnusable(
            f"{database.name} was written by a newer version of the gateway ({error}): run that "
            "version, or use another ledger"
        ) from None
    except LedgerUnavailable as error:
        raise LedgerUnusable(
            f"{database.name}: {error}: stop it first; to run several gateways use PostgreSQL"
        ) from None
    except DBAPIError as error:
        is_temporary = not database.is_sqlite and may_be_ready_later(error)
        kind = LedgerNotReady if is_temporary else LedgerUnusable
        raise kind(_advice(database, error)) from None


def _check_access(file: Path, name: str) -> None:
    folder = file.absolute().parent
    if not folder.is_dir():
        raise LedgerUnusable(f"{name}: there is no folder {folder}: create it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LedgerUnusable(
            f"{name}: the folder {folder} cannot be written to by user {os.getuid()}: change its "
            "owner to that user (SQLite writes files beside the ledger)"
        )
    if file.exists() and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
        raise LedgerUnusable(f"{name}: it is not a file that user {os.getuid()} can read and write")


def _check_integrity(connection: Connection, database: Database) -> None:
    if database.file is None or database.file.stat().st_size > _MAX_CHECKED_BYTES:
        return
    found = connection.scalar(text("PRAGMA quick_check(1)"))
    if found != "ok":
        raise LedgerUnusable(_damaged(database, str(found)))


def _advice(database: Database, error: DBAPIError) -> str:
    why = short_message(error)
    if not database.is_sqlite:
        return (
            f"{database.name} cannot be used: {why}: check that the server runs, and that the URL "
            "has the right host, user, password and database"
        )
    if isinstance(error, DatabaseError) and not isinstance(error, OperationalError):
        return _damaged(database, why)
    return f"{database.name} cannot be used: {why}"


def _damaged(database: Database, why: str) -> str:
    return (
        f"{database.name} is damaged ({' '.join(why.split())}): restore a backup, or recover what "
        f"is readable with `sqlite3 {database.file} .recover`. Or move it away, with the files "
        "beside it (-wal, -shm), to start with an empty ledger; earlier sessions and their keys "
        "are then unknown"
    )
