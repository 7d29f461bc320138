"""The ledger's other SQL: writes, look-ups and clean-up. Functions of a connection, for threads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Select, func, select, update

from charge_request_service.sessions.listing import read_records
from charge_request_service.sessions.record import (
    Begin,
    End,
    Forget,
    Kind,
    Record,
    State,
    first_session_id,
)
from charge_request_service.sessions.statements import Statements
from charge_request_service.sessions.tables import sessions

Job = Begin | Record | End | Forget

_c = sessions.c
_is_open = _c.ended_us.is_(None)


class Tally(NamedTuple):
    """The number of sessions in one state, and their energy together, kWh."""

    state: State
    sessions: int
    energy_kwh: float


class Store:
    """The SQL for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._statements = Statements(dialect)

    def write(self, connection: Connection, jobs: Sequence[Job]) -> list[bool]:
        """Write a batch; return for each job whether it was done.

        A `Begin` is not written if a session has its key.
        """
        statements = self._statements
        begins = [job for job in jobs if isinstance(job, Begin)]
        keyed = [job for job in begins if job.key is not None]
        statements.insert.execute(connection, [job for job in begins if job.key is None])
        begun = frozenset(statements.insert_keyed.execute(connection, keyed))
        statements.insert_whole.execute(
            connection, [job for job in jobs if isinstance(job, Record)]
        )
        ends = [job for job in jobs if isinstance(job, End)]
        forgets = [job for job in jobs if isinstance(job, Forget)]
        if forgets:
            # Of the end and the deletion of a session, the first one counts.
            first = {job.session_id: job for job in reversed(jobs) if isinstance(job, End | Forget)}
            ends = [job for job in ends if first[job.session_id] is job]
            forgets = [job for job in forgets if first[job.session_id] is job]
        statements.update.execute(connection, ends)
        statements.delete.execute(connection, forgets)
        not_begun = {job.session_id for job in keyed} - begun
        return [not (isinstance(job, Begin) and job.session_id in not_begun) for job in jobs]

    def get(self, connection: Connection, session_id: str) -> Record | None:
        """Return a session."""
        return _one(connection, select(sessions).where(_c.session_id == session_id))

    def by_key(self, connection: Connection, owner: str, key: str) -> Record | None:
        """Return the session with this owner's key."""
        return _one(
            connection,
            select(sessions).where(_c.owner == owner, _c.key == key, _c.key.is_not(None)),
        )

    def tallies(self, connection: Connection, since_ms: int, owner: str | None) -> list[Tally]:
        """Sum up the sessions that began since then, milliseconds since 1970, by state.

        It scans all of them, so cache the result.
        """
        energy = func.coalesce(func.sum(_c.energy_kwh), 0.0)
        query = (
            select(_c.state, func.count(), energy)
            .where(_c.session_id >= first_session_id(since_ms))
            .group_by(_c.state)
        )
        if owner is not None:
            query = query.where(_c.owner == owner)
        return [Tally(State(state), *sums) for state, *sums in connection.execute(query)]

    def open_of(self, connection: Connection, gateway: str, after: str, limit: int) -> list[Record]:
        """List open sessions of a gateway, oldest first, that come after one with this ID."""
        return read_records(
            connection,
            select(sessions)
            .where(_is_open, _c.gateway == gateway, _c.session_id > after)
            .order_by(_c.session_id)
            .limit(limit),
        )

    def oldest_open_us(self, connection: Connection) -> int | None:
        """Return when the oldest open session began, microseconds since 1970."""
        return connection.scalar(
            select(_c.began_us).where(_is_open).order_by(_c.session_id).limit(1)
        )

    def other_gateways(self, connection: Connection, gateway: str) -> list[str]:
        """List the gateways, except this one, that have open sessions."""
        others = select(_c.gateway).where(_is_open, _c.gateway != gateway).distinct()
        return list(connection.scalars(others))

    def take_over(self, connection: Connection, other: str, gateway: str) -> int:
        """Assign another gateway's open sessions to this one; return how many."""
        return connection.execute(
            update(sessions).where(_is_open, _c.gateway == other).values(gateway=gateway)
        ).rowcount

    def make_async(self, connection: Connection, session_id: str) -> None:
        """Record that a session continues without a caller."""
        connection.execute(
            update(sessions).where(_c.session_id == session_id).values(kind=Kind.ASYNC.value)
        )

    def free_keys(self, connection: Connection, ended_before_us: int, limit: int) -> int:
        """Free keys of sessions that ended before then; return how many, at most `limit`."""
        old = (
            select(_c.session_id)
            .where(_c.key.is_not(None), _c.ended_us < ended_before_us)
            .order_by(_c.ended_us)
            .limit(limit)
        )
        return connection.execute(
            update(sessions)
            .where(_c.session_id.in_(old))
            .values(key=None, digest=None, body=None, content_type=None, retry_after=None)
        ).rowcount

    def remove(self, connection: Connection, before_us: int, limit: int) -> int:
        """Remove sessions without a key that ended before then; return how many."""
        old = (
            select(_c.session_id)
            .where(
                _c.session_id < first_session_id(before_us // 1000),
                _c.ended_us < before_us,
                _c.key.is_(None),
            )
            .order_by(_c.session_id)
            .limit(limit)
        )
        return connection.execute(sessions.delete().where(_c.session_id.in_(old))).rowcount

    def nth_newest_us(self, connection: Connection, number: int) -> int | None:
        """Return when the session began after which `number` began, microseconds since 1970.

        It scans as many, so use it for small ledgers only.
        """
        return connection.scalar(
            select(_c.began_us).order_by(_c.session_id.desc()).limit(1).offset(number)
        )


def _one(connection: Connection, query: Select[Any]) -> Record | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else Record.of_row(row)
