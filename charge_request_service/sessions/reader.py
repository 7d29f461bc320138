"""Reads the ledger in threads of its own, so that no query waits for a commit."""

from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.queue import Empty, LifoQueue
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from charge_request_service.sessions.database import Database
from charge_request_service.sessions.errors import LedgerUnavailable, short_message
from charge_request_service.sessions.threads import Threads

_Result = TypeVar("_Result")


class _Slot:
    """The place of one connection, which is opened on first use."""

    connection: Connection | None = None


class Reader:
    """A pool of connections that read."""

    def __init__(
        self, database: Database, threads: Threads, *, connections: int, patience_s: float
    ) -> None:
        """Create the pool; nothing is connected yet.

        At most `connections` queries run at once, each for at most `patience_s` seconds.
        """
        self._database = database
        self._threads = threads
        self._patience_s = patience_s
        self._slots: LifoQueue[_Slot] = LifoQueue()
        for _ in range(connections):
            self._slots.put(_Slot())

    def read(self, work: Callable[..., _Result], *args: Any) -> _Result:
        """Return the result of `work(connection, *args)`.

        Raises:
            LedgerUnavailable: it did not succeed in time.
        """
        try:
            slot = self._slots.get(timeout=self._patience_s)
        except Empty:
            raise LedgerUnavailable("too many queries wait for the ledger") from None
        with gevent.Timeout(self._patience_s, LedgerUnavailable("the ledger does not answer")):
            done: _Result = self._threads.run(
                self._work, slot, work, args, after=lambda: self._slots.put(slot)
            )
        return done

    def close(self) -> None:
        """Close the connections that are not in use."""
        for slot in self._slots.queue:
            if slot.connection is not None:
                self._threads.run(slot.connection.close)

    def _work(self, slot: _Slot, work: Callable[..., _Result], args: tuple[Any, ...]) -> _Result:
        try:
            if slot.connection is None:
                slot.connection = self._database.reader()
            with slot.connection.begin():
                return work(slot.connection, *args)
        except DBAPIError as error:
            broken, slot.connection = slot.connection, None
            if broken is not None:
                broken.invalidate()
                broken.close()
            raise LedgerUnavailable(short_message(error)) from error
