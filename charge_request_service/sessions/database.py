"""The database behind the ledger: a SQLite file, SQLite in memory, or PostgreSQL.

All of it runs in threads, and none in the event loop: what SQLite does it does at once, and
psycopg would wait for its server there with gevent's help, but look names up without.
"""

import fcntl
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.monkey import get_original
from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    NullPool,
    StaticPool,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from charge_request_service.sessions.errors import (
    LedgerNotReady,
    LedgerUnavailable,
    LedgerUnusable,
    may_be_ready_later,
    short_message,
)
from charge_request_service.sessions.migrations.run import NewerLedger, migrate
from charge_request_service.sessions.tables import metadata

# In the query of a URL: the file that holds the password, such as a secret of Docker's.
_PASSWORD_FILE = "password_file"  # noqa: S105 - a name
_FORMS = "sqlite:////folder/file, postgresql://user:password@host/database, or sqlite:// for memory"
# How long SQLite waits for another's lock, seconds. A checkpoint holds it for milliseconds.
_BUSY_S = 0.25
# psycopg's own words for seconds, and libpq's for a server that is cut off, milliseconds.
_CONNECT_S, _CUT_OFF_MS = 3, 10_000
# Pause between attempts to reach a server that is not up yet, seconds.
_TRY_EVERY_S = 0.2
# What is looked through at start, all of it, takes a second for so many bytes.
_LOOKED_THROUGH_BYTES = 268_435_456
# A row that is written is found by its name. So PostgreSQL need not plan a statement each time,
# which takes half as long as the statement itself, and must not keep a plan that goes through all
# sessions because there were few when it was made.
_WRITER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
# Two commits begin at least so far apart, seconds: with vehicles coming in, each saves the others'.
# One costs a server and this process 0.6 ms together, however few its rows, and a file 0.2.
_SQLITE_PAUSE_S, _POSTGRESQL_PAUSE_S = 0.003, 0.004
_WITHOUT_FILE = (None, "", ":memory:")


def read_ledger_url(text_: str) -> URL:
    """Read where the ledger is.

    Raises:
        ValueError: it cannot be used; the message says what is taken.
    """
    try:
        url = make_url(text_)
    except ArgumentError:
        raise ValueError(f"it is no URL of a database; it takes {_FORMS}") from None
    if url.drivername == "sqlite":
        if url.host or url.query:
            raise ValueError(
                "a file of SQLite has three slashes before a relative path and four before an "
                f"absolute one, and nothing after it; it takes {_FORMS}"
            )
        return url
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if not url.database:
            raise ValueError(f"it names no database; it takes {_FORMS}")
        return _with_password(url).set(drivername="postgresql+psycopg")
    raise ValueError(f"{url.drivername} is no database for the ledger; it takes {_FORMS}")


def _with_password(url: URL) -> URL:
    """Put in the password of the file that a URL names: one in an environment is shown to many.

    Raises:
        ValueError: the file cannot be read, or holds none.
    """
    file = url.query.get(_PASSWORD_FILE)
    if file is None:
        return url
    if url.password is not None or not isinstance(file, str):
        raise ValueError(f"it has more than one password; leave one, or one {_PASSWORD_FILE}")
    try:
        password = Path(file).read_text().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise ValueError(f"its {_PASSWORD_FILE} {file} cannot be read: {why}") from None
    if not password:
        raise ValueError(f"its {_PASSWORD_FILE} {file} is empty")
    return url.difference_update_query([_PASSWORD_FILE]).set(password=password)


def prepare(
    url: URL, *, patience_s: float = 0.0, tell: Callable[[LedgerNotReady], object] = repr
) -> None:
    """Check that a ledger can be used, and bring its tables up to date; one in memory has no need.

    Args:
        url: from `read_ledger_url`.
        patience_s: how long to wait for a server that is not up yet, seconds.
        tell: is told once that one is waited for.

    Raises:
        LedgerUnusable: it cannot; the message says what to do.
    """
    database = Database(url)
    if database.in_memory:
        return
    deadline, waits = time.monotonic() + patience_s, False
    try:
        while True:
            try:
                database.prepare()
            except LedgerNotReady as error:
                if time.monotonic() >= deadline:
                    raise
                if not waits:
                    tell(error)
                    waits = True
            else:
                return
            time.sleep(_TRY_EVERY_S)
    finally:
        database.close()


class Database:
    """Makes connections to the ledger's database.

    Attributes:
        in_memory: it is gone with this process, and has one connection, for all.
        is_sqlite: it is SQLite.
        name: how logs call it, without its password.
        commit_pause_s: how far apart two commits begin at least, seconds.
    """

    def __init__(self, url: URL) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.in_memory = self.is_sqlite and url.database in _WITHOUT_FILE
        self.commit_pause_s = _SQLITE_PAUSE_S if self.is_sqlite else _POSTGRESQL_PAUSE_S
        self.name = url.render_as_string(hide_password=True)
        self._file = Path(url.database or "") if self.is_sqlite and not self.in_memory else None
        self._lock: int | None = None
        # SQLAlchemy holds a lock while it makes an engine's first connection. That is gevent's, in
        # which threads that contend for it get stuck for good; this one is the system's.
        self._connecting = get_original("_thread", "allocate_lock")()
        self._connected: set[Engine] = set()
        if self.is_sqlite:
            self._writing = self._sqlite(url, "BEGIN IMMEDIATE")
            self._reading = self._writing if self.in_memory else self._sqlite(url, "BEGIN")
        else:
            self._writing = _postgresql(url)
            # One round trip to the server in place of three, for a look-up by name.
            self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    def writer(self, gateway: str) -> Connection:
        """Connect to write, as the one gateway of that name.

        Raises:
            LedgerUnavailable: it cannot be reached, or another gateway has it.
        """
        try:
            self._take_file()
            connection = self._connect(self._writing)
            if not self.is_sqlite:
                for name, value in _WRITER_SETTINGS.items():
                    connection.exec_driver_sql(f"SET {name} = {value}")
                # Tells other gateways that this one lives.
                connection.execute(
                    text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": gateway}
                )
                connection.commit()
        except (DBAPIError, OSError) as error:
            raise LedgerUnavailable(short_message(error)) from error
        return connection

    @property
    def dialect(self) -> Dialect:
        """What statements are compiled for."""
        return self._writing.dialect

    def reader(self) -> Connection:
        """Connect to read.

        Raises:
            LedgerUnavailable: it cannot be reached.
        """
        try:
            return self._connect(self._reading)
        except DBAPIError as error:
            raise LedgerUnavailable(short_message(error)) from error

    def _connect(self, engine: Engine) -> Connection:
        if engine in self._connected:
            return engine.connect()
        with self._connecting:
            connection = engine.connect()
        self._connected.add(engine)
        return connection

    def prepare(self) -> None:
        """Check that it can be used, and bring its tables up to date.

        Raises:
            LedgerUnusable: it cannot; the message says what to do.
        """
        try:
            if self._file is not None:
                self._check_file(self._file)
                self._take_file()
            with self._writing.begin() as connection:
                if self.in_memory:  # it is never older than the code
                    metadata.create_all(connection)
                    return
                migrate(connection)
                self._look_through(connection)
        except NewerLedger as error:
            raise LedgerUnusable(
                f"{self.name} was written by a newer version of the gateway ({error}): run that "
                "one, or name another ledger"
            ) from None
        except LedgerUnavailable as error:
            raise LedgerUnusable(
                f"{self.name}: {error}: stop it first; for several gateways at once use PostgreSQL"
            ) from None
        except DBAPIError as error:
            kind = (
                LedgerNotReady
                if not self.is_sqlite and may_be_ready_later(error)
                else LedgerUnusable
            )
            raise kind(self._advice(error)) from None

    def close(self) -> None:
        """Let go of the file."""
        self._writing.dispose()
        self._reading.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def size_bytes(self, connection: Connection) -> int:
        """Tell how much room it takes, bytes."""
        if self._file is not None:
            files = (self._file, Path(f"{self._file}-wal"))
            return sum(file.stat().st_size for file in files if file.exists())
        if self.in_memory:
            pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            return int(connection.scalar(text(pages)) or 0)
        return int(connection.scalar(text("SELECT pg_total_relation_size('sessions')")) or 0)

    def free_bytes(self) -> float:
        """Tell how much room is left where its file is, bytes; NaN where it is no file."""
        if self._file is None:
            return math.nan
        disk = os.statvfs(self._file.absolute().parent)
        return disk.f_bavail * disk.f_frsize

    def probe(self, connection: Connection) -> None:
        """Write what changes nothing: fails where nothing can be written."""
        if self.is_sqlite:
            connection.exec_driver_sql("PRAGMA user_version = 1")

    def _take_file(self) -> None:
        """Keep other gateways off this file, for as long as this process lives.

        Raises:
            LedgerUnavailable: another has it.
        """
        if self._file is None or self._lock is not None:
            return
        lock = os.open(f"{self._file}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise LedgerUnavailable("another gateway has this file") from None
        self._lock = lock

    def _check_file(self, file: Path) -> None:
        folder = file.absolute().parent
        if not folder.is_dir():
            raise LedgerUnusable(f"{self.name}: there is no folder {folder}: make it")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise LedgerUnusable(
                f"{self.name}: the folder {folder} cannot be written to by user {os.getuid()}: "
                "give it to that user (SQLite writes files beside the ledger)"
            )
        if file.exists() and not (file.is_file() and os.access(file, os.R_OK | os.W_OK)):
            raise LedgerUnusable(
                f"{self.name}: it is no file that user {os.getuid()} can read and write"
            )

    def _look_through(self, connection: Connection) -> None:
        if self._file is None or self._file.stat().st_size > _LOOKED_THROUGH_BYTES:
            return
        found = connection.scalar(text("PRAGMA quick_check(1)"))
        if found != "ok":
            raise LedgerUnusable(self._corrupt(str(found)))

    def _advice(self, error: DBAPIError) -> str:
        why = short_message(error)
        if not self.is_sqlite:
            return (
                f"{self.name} cannot be used: {why}: check that the server runs, and the URL's "
                "host, user, password and database"
            )
        if isinstance(error, DatabaseError) and not isinstance(error, OperationalError):
            return self._corrupt(why)
        return f"{self.name} cannot be used: {why}"

    def _corrupt(self, why: str) -> str:
        return (
            f"{self.name} is damaged ({' '.join(why.split())}): put a backup in its place, or save "
            f"what can be saved with `sqlite3 {self._file} .recover`; or move it away, with the "
            "files beside it (-wal, -shm), to begin with an empty one, which knows no session and "
            "no key of before"
        )

    def _sqlite(self, url: URL, begin: str) -> Engine:
        engine = create_engine(
            url,
            poolclass=StaticPool if self.in_memory else NullPool,
            # One thread at a time has it, not always the same one.
            connect_args={"check_same_thread": False, "timeout": _BUSY_S},
        )

        @event.listens_for(engine, "connect")
        def connected(connection: Any, _record: object) -> None:
            connection.isolation_level = None  # the driver begins no transaction of its own
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def _postgresql(url: URL) -> Engine:
    # In a thread libpq's own way to wait holds nobody up; gevent's would make a hub there. psycopg
    # reads this once, when it is imported, which is in the next step.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_c")
    return create_engine(
        url,
        poolclass=NullPool,
        paramstyle="format",  # rows are tuples, as for SQLite
        connect_args={
            "connect_timeout": _CONNECT_S,
            "tcp_user_timeout": _CUT_OFF_MS,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "ev-charging-grid gateway",
        },
    )
