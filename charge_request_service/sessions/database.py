"""The ledger's database: a SQLite file, SQLite in memory, or PostgreSQL.

Everything here runs in threads and blocks them. SQLite has no asynchronous interface; psycopg could
wait with gevent's help, but would still block on name look-ups.
"""

import fcntl
import math
import os
from pathlib import Path

from gevent.monkey import get_original
from sqlalchemy import URL, Connection, Dialect, Engine, text
from sqlalchemy.exc import DBAPIError

from charge_request_service.sessions.engines import postgresql_engine, sqlite_engine
from charge_request_service.sessions.errors import LedgerUnavailable, short_message
from charge_request_service.sessions.tables import metadata

# The writer looks rows up by session ID. With a generic plan PostgreSQL need not plan each
# statement, which takes half as long as executing it. Without the other methods it cannot keep a
# plan that scans all sessions because there were few when the plan was made.
_WRITER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
# Minimum time between the beginnings of two commits, seconds, so that rows share them. However few
# its rows, a commit costs PostgreSQL and this process 0.6 ms of CPU together, and a file 0.2 ms.
_SQLITE_PAUSE_S, _POSTGRESQL_PAUSE_S = 0.003, 0.004
_IN_MEMORY = (None, "", ":memory:")


class Database:
    """Makes connections to the ledger's database.

    Attributes:
        in_memory: whether it ends with this process; all share its one connection.
        is_sqlite: whether it is SQLite.
        name: its URL for logs, without the password.
        file: its file, if it has one.
        commit_pause_s: minimum time between the beginnings of two commits, seconds.
    """

    def __init__(self, url: URL) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.in_memory = self.is_sqlite and url.database in _IN_MEMORY
        self.commit_pause_s = _SQLITE_PAUSE_S if self.is_sqlite else _POSTGRESQL_PAUSE_S
        self.name = url.render_as_string(hide_password=True)
        self.file = Path(url.database or "") if self.is_sqlite and not self.in_memory else None
        self._lock: int | None = None
        # SQLAlchemy takes a lock while it makes an engine's first connection. That lock is
        # gevent's, and threads that contend for it deadlock; this one is the system's.
        self._connecting = get_original("_thread", "allocate_lock")()
        self._connected: set[Engine] = set()
        if self.in_memory:
            self.engine = self._reading = sqlite_engine(url, "BEGIN IMMEDIATE", in_memory=True)
            metadata.create_all(self.engine)
        elif self.is_sqlite:
            self.engine = sqlite_engine(url, "BEGIN IMMEDIATE", in_memory=False)
            self._reading = sqlite_engine(url, "BEGIN", in_memory=False)
        else:
            self.engine = postgresql_engine(url)
            # A look-up by ID then takes one round trip to the server instead of three.
            self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def writer(self, gateway: str) -> Connection:
        """Connect to write, as the one gateway with this name.

        Raises:
            LedgerUnavailable: it cannot be reached, or another gateway uses it.
        """
        try:
            self.lock_file()
            connection = self._connect(self.engine)
            if not self.is_sqlite:
                for name, value in _WRITER_SETTINGS.items():
                    connection.exec_driver_sql(f"SET {name} = {value}")
                # Shows other gateways that this one is alive.
                connection.execute(
                    text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": gateway}
                )
                connection.commit()
        except (DBAPIError, OSError) as error:
            raise LedgerUnavailable(short_message(error)) from error
        return connection

    @property
    def dialect(self) -> Dialect:
        """The dialect to compile statements for."""
        return self.engine.dialect

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

    def close(self) -> None:
        """Close the connections and unlock the file."""
        self.engine.dispose()
        self._reading.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def size_bytes(self, connection: Connection) -> int:
        """Return its size, bytes."""
        if self.file is not None:
            files = (self.file, Path(f"{self.file}-wal"))
            return sum(file.stat().st_size for file in files if file.exists())
        if self.in_memory:
            pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            return int(connection.scalar(text(pages)) or 0)
        return int(connection.scalar(text("SELECT pg_total_relation_size('sessions')")) or 0)

    def free_bytes(self) -> float:
        """Return the free space on the file's disk, bytes; NaN if it is not a file."""
        if self.file is None:
            return math.nan
        disk = os.statvfs(self.file.absolute().parent)
        return disk.f_bavail * disk.f_frsize

    def probe(self, connection: Connection) -> None:
        """Write something that changes nothing, which fails if nothing can be written."""
        if self.is_sqlite:
            connection.exec_driver_sql("PRAGMA user_version = 1")

    def lock_file(self) -> None:
        """Lock the file against other gateways, for as long as this process lives.

        Raises:
            LedgerUnavailable: another gateway uses it.
        """
        if self.file is None or self._lock is not None:
            return
        lock = os.open(f"{self.file}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise LedgerUnavailable("another gateway has this file") from None
        self._lock = lock
