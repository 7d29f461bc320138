"""Reads the ledger in threads of their own, so that no reading waits for a commit."""

from collections.abc import Callable
from typing import TypeVar

import gevent
from gevent.queue import Empty, LifoQueue
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable, short_message
from charge_request_service.sessions.threads import Threads

_Result = TypeVar("_Result")


class _Slot:
    """A connection, once there is one."""

    connection: Connection | None = None


class Reader:
    """A few connections that are used in turns."""

    def __init__(
        self, database: Database, threads: Threads, *, connections: int, patience_s: float
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            database: where to read.
            threads: where it reads.
            connections: most readings at once.
            patience_s: longest that a reading may take, seconds.
        """
        self._database = database
        self._threads = threads
        self._patience_s = patience_s
        self._slots: LifoQueue[_Slot] = LifoQueue()
        for _ in range(connections):
            self._slots.put(_Slot())

    def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """Do some reading.

        Raises:
            LedgerUnavailable: it could not be done in time.
        """
        try:
            slot = self._slots.get(timeout=self._patience_s)
        except Empty:
            raise LedgerUnavailable("too many readings wait for the ledger") from None
        with gevent.Timeout(self._patience_s, LedgerUnavailable("the ledger does not answer")):
            done: _Result = self._threads.run(
                self._work, slot, work, after=lambda: self._slots.put(slot)
            )
        return done

    def close(self) -> None:
        """Let go of the connections that are not in use."""
        for slot in self._slots.queue:
            if slot.connection is not None:
                self._threads.run(slot.connection.close)

    def _work(self, slot: _Slot, work: Callable[[Connection], _Result]) -> _Result:
        try:
            if slot.connection is None:
                slot.connection = self._database.reader()
            with slot.connection.begin():
                return work(slot.connection)
        except DBAPIError as error:
            broken, slot.connection = slot.connection, None
            if broken is not None:
                broken.invalidate()
                broken.close()
            raise LedgerUnavailable(short_message(error)) from error
