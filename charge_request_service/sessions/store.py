"""What the ledger does in its database. Plain functions of a connection, run in threads."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Text,
    func,
    literal_column,
    select,
    update,
)

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

__all__ = ["Job", "Page", "Query", "Store"]

Job = Begin | Record | End | Forget

# Rows that one page looks at, where few of them are of those that were asked for.
_LOOKED_AT = 1000
_c = sessions.c


class Query(NamedTuple):
    """Which sessions are listed, newest first; None for any.

    Attributes:
        limit: most of them.
        after: those that come after this session in the list.
        owner: of this one.
        state: in this one; `WAITING` and `CHARGING` stand for all that have not ended.
        vehicle_id: of this vehicle.
        since_ms: that began no earlier, milliseconds since 1970.
        until_ms: that began earlier than this, milliseconds since 1970.
        ended: that have ended, and were not refused before they got anything.
        open: that have not ended.
    """

    limit: int = 100
    after: str | None = None
    owner: str | None = None
    state: State | None = None
    vehicle_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    ended: bool = False
    open: bool = False


class Page(NamedTuple):
    """A part of the list; it may be short, or empty, and yet not be the last."""

    records: list[Record]
    next: str | None


class Tally(NamedTuple):
    """Sessions in one state, and what they got together, kWh."""

    state: State
    sessions: int
    energy_kwh: float


class Store:
    """The ledger's SQL, for one kind of database."""

    def __init__(self, dialect: Dialect) -> None:
        self._statements = Statements(dialect)

    def write(self, connection: Connection, jobs: Sequence[Job]) -> list[bool]:
        """Write a batch; tell of each job whether it was done.

        A beginning with a key is not where the key is there already.
        """
        statements = self._statements
        begins = [job for job in jobs if isinstance(job, Begin)]
        keyed = [job for job in begins if job.key is not None]
        statements.insert.execute(connection, [job for job in begins if job.key is None])
        begun = frozenset(statements.insert_keyed.execute(connection, keyed))
        statements.insert_whole.execute(
            connection, [job for job in jobs if isinstance(job, Record)]
        )
        statements.update.execute(connection, [job for job in jobs if isinstance(job, End)])
        statements.delete.execute(connection, [job for job in jobs if isinstance(job, Forget)])
        there = {job.session_id for job in keyed} - begun
        return [not (isinstance(job, Begin) and job.session_id in there) for job in jobs]

    def get(self, connection: Connection, session_id: str) -> Record | None:
        """Look a session up."""
        return _one(connection, select(sessions).where(_c.session_id == session_id))

    def by_key(self, connection: Connection, owner: str, key: str) -> Record | None:
        """Look up the session that has this owner's key."""
        return _one(
            connection,
            select(sessions).where(_c.owner == owner, _c.key == key, _c.key.is_not(None)),
        )

    def page(self, connection: Connection, query: Query) -> Page:
        """List sessions, newest first."""
        within, beside = _conditions(query)
        if query.after is not None:
            within.append(_c.session_id < query.after)
        if query.since_ms is not None:
            within.append(_c.session_id >= first_session_id(query.since_ms))
        if query.until_ms is not None:
            within.append(_c.session_id < first_session_id(query.until_ms))
        looked_at = select(sessions).where(*within).order_by(_c.session_id.desc())
        if not beside:
            records = _all(connection, looked_at.limit(query.limit + 1))
            more = len(records) > query.limit
            records = records[: query.limit]
            return Page(records, records[-1].session_id if more else None)
        some = looked_at.limit(_LOOKED_AT).subquery("sessions")
        chosen = (
            select(some)
            .where(*(condition(some.c) for condition in beside))
            .order_by(some.c.session_id.desc())
        )
        records = _all(connection, chosen.limit(query.limit))
        if len(records) == query.limit:
            return Page(records, records[-1].session_id)
        ids = connection.scalars(looked_at.with_only_columns(_c.session_id).limit(_LOOKED_AT)).all()
        return Page(records, ids[-1] if len(ids) == _LOOKED_AT else None)

    def tallies(self, connection: Connection, since_ms: int, owner: str | None) -> list[Tally]:
        """Sum up the sessions that began since then, milliseconds since 1970, by state.

        It walks over all of them: for who keeps what it finds.
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
        """List open sessions that a gateway sees to, oldest first, after one of that name."""
        return _all(
            connection,
            select(sessions)
            .where(_c.ended_us.is_(None), _c.gateway == gateway, _c.session_id > after)
            .order_by(_c.session_id)
            .limit(limit),
        )

    def oldest_open_us(self, connection: Connection) -> int | None:
        """Tell when the oldest session began that has not ended, microseconds since 1970."""
        return connection.scalar(
            select(_c.began_us).where(_c.ended_us.is_(None)).order_by(_c.session_id).limit(1)
        )

    def other_gateways(self, connection: Connection, gateway: str) -> list[str]:
        """List the gateways, but for this one, that see to open sessions."""
        return list(
            connection.scalars(
                select(_c.gateway).where(_c.ended_us.is_(None), _c.gateway != gateway).distinct()
            )
        )

    def take_over(self, connection: Connection, other: str, gateway: str) -> int:
        """Have this gateway see to what another one left; return how many sessions."""
        return connection.execute(
            update(sessions)
            .where(_c.ended_us.is_(None), _c.gateway == other)
            .values(gateway=gateway)
        ).rowcount

    def make_async(self, connection: Connection, session_id: str) -> None:
        """Have a session go on without a caller."""
        connection.execute(
            update(sessions).where(_c.session_id == session_id).values(kind=Kind.ASYNC.value)
        )

    def free_keys(self, connection: Connection, ended_before_us: int, limit: int) -> int:
        """Free the keys of sessions that ended before then; return how many, `limit` at most."""
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
        """Remove sessions that ended before then and hold no key; return how many, at most."""
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
        """Tell when the session began that so many began after, microseconds since 1970.

        It walks over as many: for a ledger in memory alone, which is small.
        """
        return connection.scalar(
            select(_c.began_us).order_by(_c.session_id.desc()).limit(1).offset(number)
        )


def _conditions(query: Query) -> tuple[list[ColumnElement[bool]], list[Any]]:
    """Return the condition that an index finds, and those that the rows it finds are held to."""
    owner, state, vehicle = query.owner, query.state, query.vehicle_id
    chosen: list[tuple[str, list[ColumnElement[bool]], Any]] = []
    if query.open or state in (State.WAITING, State.CHARGING):
        chosen.append(("open", [_c.ended_us.is_(None)], lambda c: c.ended_us.is_(None)))
    elif state in (State.STOPPED, State.REFUSED):
        # Written out, so that the database sees that it is the index's own condition.
        one = literal_column(f"'{state.value}'", Text)
        chosen.append(("state", [_c.state == one], lambda c: c.state == one))
    if vehicle is not None:
        chosen.append(
            (
                "vehicle",
                [_c.vehicle_id == vehicle, _c.vehicle_id.is_not(None)],
                lambda c: c.vehicle_id == vehicle,
            )
        )
    if owner:
        chosen.append(
            (
                "owner",
                [_c.owner == owner, _c.owner != literal_column("''", Text)],
                lambda c: c.owner == owner,
            )
        )
    within = chosen[0][1] if chosen else []
    beside = [condition for _, _, condition in chosen[1:]]
    if state is State.CHARGED:
        beside.append(lambda c: c.state == state.value)
    if owner == "":
        beside.append(lambda c: c.owner == "")
    if query.ended:
        # What was refused got nothing, unless it had begun elsewhere.
        beside.append(
            lambda c: (
                c.ended_us.is_not(None) & ((c.state != State.REFUSED.value) | (c.energy_kwh > 0))
            )
        )
    return within, beside


def _one(connection: Connection, query: Select[Any]) -> Record | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else Record(*row)


def _all(connection: Connection, query: Select[Any]) -> list[Record]:
    return [Record(*row) for row in connection.execute(query)]
