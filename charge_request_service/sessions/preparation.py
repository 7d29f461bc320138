"""Prepares the ledger before the gateway starts: checks it, and updates its tables."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import (
    LedgerNotReady,
    LedgerUnavailable,
    LedgerUnusable,
    may_be_ready_later,
    short_message,
)

# Pause between attempts to reach a server that is not ready yet, seconds.
_RETRY_PAUSE_S = 0.2
# Larger files are not checked for damage: this size takes a second.
_MAX_CHECKED_BYTES = 268_435_456
_LAST_MIGRATION = "0001"
# An arbitrary number that no other application uses on the same PostgreSQL server.
_MIGRATION_LOCK = 5_124_078_893


def prepare(
    url: URL, *, patience_s: float = 0.0, on_wait: Callable[[LedgerNotReady], object] = repr
) -> None:
    """Check that a ledger can be used, and update its tables. One in memory needs neither.

    If its server is not ready yet, `on_wait` is called once, and the server gets `patience_s`
    seconds.

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
            _migrate(connection, database.name)
            if database.file is not None:
                _check_integrity(connection, database)
    except LedgerUnavailable as error:
        raise LedgerUnusable(
            f"{database.name}: {error}: stop it first; to run several gateways use PostgreSQL"
        ) from None
    except DBAPIError as error:
        is_temporary = not database.is_sqlite and may_be_ready_later(error)
        kind = LedgerNotReady if is_temporary else LedgerUnusable
        raise kind(_advice(database, error)) from None


def _migrate(connection: Connection, name: str) -> None:
    """Run the missing migrations in one transaction; several gateways may start at once.

    On SQLite it is an immediate one, for which others wait.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    version = None
    if inspect(connection).has_table("alembic_version"):
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if version == _LAST_MIGRATION:
        return
    # Imported only if needed.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise LedgerUnusable(
            f"{name} was written by a newer version of the gateway ({error}): run that version, or "
            "use another ledger"
        ) from None


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
