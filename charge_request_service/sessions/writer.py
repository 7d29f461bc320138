"""The one connection that writes to the ledger. All of it runs in the one thread that writes."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable, short_message
from charge_request_service.sessions.store import Job, Store
from grid_common.logs import Log

_Result = TypeVar("_Result")

# A gateway whose lock is free for so long is gone; one that lost its server takes it again before.
_GONE_S = 4.0


class Writer:
    """Connects when it has to, and anew after a fault."""

    def __init__(self, database: Database, store: Store, *, gateway: str, log: Log) -> None:
        self._database = database
        self._store = store
        self._gateway = gateway
        self._log = log
        self._connection: Connection | None = None
        self._free_since: dict[str, float] = {}

    def write(self, jobs: Sequence[Job]) -> list[bool]:
        """Write a batch in one transaction; without jobs try whether it can be written to.

        Raises:
            LedgerUnavailable: it cannot.
        """
        if not jobs:
            self.do(self._database.probe)
            return []
        try:
            return self.do(lambda connection: self._store.write(connection, jobs))
        except (IntegrityError, DataError) as error:
            if len(jobs) == 1:
                self._log.error(
                    "not written to the ledger",
                    session_id=jobs[0].session_id,
                    what=type(jobs[0]).__name__.lower(),
                    why=short_message(error),
                )
                return [False]
        # One of them cannot be written: the others are.
        return [reported for job in jobs for reported in self.write([job])]

    def do(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do something in a transaction of its own.

        Raises:
            LedgerUnavailable: it could not be done.
            DataError, IntegrityError: the database does not take what it was given.
        """
        try:
            if self._connection is None:
                self._connection = self._database.writer(self._gateway)
            with self._connection.begin():
                return work(self._connection)
        except (IntegrityError, DataError):
            raise
        except DBAPIError as error:
            self.close()
            raise LedgerUnavailable(short_message(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except DBAPIError:
                connection.invalidate()

    def take_over(self) -> int:
        """Take over the open sessions of gateways that are gone; return how many.

        Raises:
            LedgerUnavailable: it could not be done.
        """
        return self.do(self._take_over)

    def _take_over(self, connection: Connection) -> int:
        taken_over = 0
        others = self._store.other_gateways(connection, self._gateway)
        self._free_since = {
            other: since for other, since in self._free_since.items() if other in others
        }
        for other in others:
            if self._is_gone(connection, other):
                taken_over += self._store.take_over(connection, other, self._gateway)
        return taken_over

    def _is_gone(self, connection: Connection, other: str) -> bool:
        if self._database.is_sqlite:
            return True  # only one gateway at a time has the file
        given = {"name": other}
        lock = "pg_try_advisory_xact_lock(hashtextextended(:name, 0))"
        if not connection.scalar(text(f"SELECT {lock}"), given):
            self._free_since.pop(other, None)
            return False
        return time.monotonic() - self._free_since.setdefault(other, time.monotonic()) > _GONE_S
