"""SQLAlchemy engines for SQLite and PostgreSQL, set up for the ledger."""

import os
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, StaticPool, create_engine, event

# How long SQLite waits for another's lock, seconds. A checkpoint holds it for milliseconds.
_BUSY_TIMEOUT_S = 0.25
_CONNECT_TIMEOUT_S = 3
# libpq's TCP_USER_TIMEOUT, for a server that is cut off, milliseconds.
_TCP_USER_TIMEOUT_MS = 10_000


def sqlite_engine(url: URL, begin: str, *, in_memory: bool) -> Engine:
    """Create an engine for SQLite; `begin` is the statement that begins a transaction.

    If the database is in memory, all share one connection.
    """
    engine = create_engine(
        url,
        poolclass=StaticPool if in_memory else NullPool,
        # Only one thread at a time uses a connection, but not always the same one.
        connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_S},
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


def postgresql_engine(url: URL) -> Engine:
    """Create an engine for PostgreSQL."""
    # In a thread libpq's own wait blocks nobody else; gevent's would create a hub there. psycopg
    # reads this variable once, when it is imported by `create_engine`.
    os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_c")
    return create_engine(
        url,
        poolclass=NullPool,
        paramstyle="format",  # rows are tuples, as for SQLite
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "tcp_user_timeout": _TCP_USER_TIMEOUT_MS,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "ev-charging-grid gateway",
        },
    )
