"""Lists sessions, newest first, in pages: the query, and its SQL."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Text, literal_column, select

from charge_request_service.sessions.record import Record, State, first_session_id
from charge_request_service.sessions.tables import sessions

# Maximum number of rows that are filtered for one page.
_MAX_FILTERED = 1000
_c = sessions.c
# Returns a condition on the columns of `sessions`, or of a subquery with the same columns.
_Condition = Callable[[Any], ColumnElement[bool]]


class Query(NamedTuple):
    """Which sessions to list; None for any. Times are milliseconds since 1970."""

    limit: int = 100
    after: str | None = None  # those that come after this session in the list
    owner: str | None = None
    state: State | None = None  # WAITING and CHARGING both stand for all that have not ended
    vehicle_id: str | None = None
    since_ms: int | None = None  # those that began at this time or later
    until_ms: int | None = None  # those that began before this time
    ended: bool = False  # without those that were refused before they received any energy
    open: bool = False  # those that have not ended


class Page(NamedTuple):
    """A page of the list. It may be short, or empty, without being the last."""

    records: list[Record]
    next: str | None  # `after` of the next page; None if this is the last


def read_page(connection: Connection, query: Query) -> Page:
    """List sessions, newest first."""
    indexed, filters = _conditions(query)
    if query.after is not None:
        indexed.append(_c.session_id < query.after)
    if query.since_ms is not None:
        indexed.append(_c.session_id >= first_session_id(query.since_ms))
    if query.until_ms is not None:
        indexed.append(_c.session_id < first_session_id(query.until_ms))
    rows = select(sessions).where(*indexed).order_by(_c.session_id.desc())
    if not filters:
        records = read_records(connection, rows.limit(query.limit + 1))
        more = len(records) > query.limit
        records = records[: query.limit]
        return Page(records, records[-1].session_id if more else None)
    some = rows.limit(_MAX_FILTERED).subquery("sessions")
    filtered = (
        select(some)
        .where(*(condition(some.c) for condition in filters))
        .order_by(some.c.session_id.desc())
    )
    records = read_records(connection, filtered.limit(query.limit))
    if len(records) == query.limit:
        return Page(records, records[-1].session_id)
    ids = connection.scalars(rows.with_only_columns(_c.session_id).limit(_MAX_FILTERED)).all()
    return Page(records, ids[-1] if len(ids) == _MAX_FILTERED else None)


def read_records(connection: Connection, query: Select[Any]) -> list[Record]:
    """Return the rows of a query."""
    return [Record.of_row(row) for row in connection.execute(query)]


def _conditions(query: Query) -> tuple[list[ColumnElement[bool]], list[_Condition]]:
    """Return the condition for which there is an index, and those that filter its rows.

    There is an index for each condition; the first one that the query has is used.
    """
    owner, state, vehicle = query.owner, query.state, query.vehicle_id
    # For each: the condition as its index has it, and as a filter.
    chosen: list[tuple[list[ColumnElement[bool]], _Condition]] = []
    if query.open or state in (State.WAITING, State.CHARGING):
        chosen.append(([_c.ended_us.is_(None)], lambda c: c.ended_us.is_(None)))
    elif state in (State.STOPPED, State.REFUSED):
        # A literal, so that the database recognizes the condition of the index.
        literal = literal_column(f"'{state.value}'", Text)
        chosen.append(([_c.state == literal], lambda c: c.state == literal))
    if vehicle is not None:
        by_vehicle = [_c.vehicle_id == vehicle, _c.vehicle_id.is_not(None)]
        chosen.append((by_vehicle, lambda c: c.vehicle_id == vehicle))
    if owner:
        by_owner = [_c.owner == owner, _c.owner != literal_column("''", Text)]
        chosen.append((by_owner, lambda c: c.owner == owner))
    indexed = chosen[0][0] if chosen else []
    filters = [as_filter for _, as_filter in chosen[1:]]
    if state is State.CHARGED:
        filters.append(lambda c: c.state == state.value)
    if owner == "":
        filters.append(lambda c: c.owner == "")
    if query.ended:
        # A refused session received energy only if it had begun at another substation.
        filters.append(
            lambda c: (
                c.ended_us.is_not(None) & ((c.state != State.REFUSED.value) | (c.energy_kwh > 0))
            )
        )
    return indexed, filters
