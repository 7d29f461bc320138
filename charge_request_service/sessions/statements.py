"""The statements that write, compiled once, each for a number of rows.

Many rows in one statement: between two statements this thread has to wait for its turn with the
event loop's, which takes longer than the database takes for dozens of rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ClauseElement, Connection, Dialect, bindparam, cast, column, values
from sqlalchemy.dialects import postgresql, sqlite

from charge_request_service.sessions.record import Begin, End, Forget, State
from charge_request_service.sessions.tables import sessions

_Row = TypeVar("_Row", Begin, End, Forget)

# Any number of rows is a sum of these, of few of them.
_SIZES = (64, 32, 16, 8, 4, 2, 1)
_ended_us = sessions.c.ended_us


class Statement(Generic[_Row]):
    """A statement that writes rows."""

    def __init__(self, texts: dict[int, str]) -> None:
        """Prepare.

        Args:
            texts: the statement for each number of rows.
        """
        self._texts = texts

    def execute(self, connection: Connection, rows: Sequence[_Row]) -> int:
        """Write rows; return how many were."""
        written = 0
        for some in _parts(rows):
            given = tuple(value for row in some for value in parameters(row))
            written += connection.exec_driver_sql(self._texts[len(some)], given).rowcount
        return written


class Statements:
    """For one kind of database.

    Attributes:
        insert: begins sessions.
        insert_keyed: begins one, unless its key, or its name, is there already.
        update: ends those that have not ended.
        delete: forgets those that have not ended.
    """

    def __init__(self, dialect: Dialect) -> None:
        insert = (sqlite if dialect.name == "sqlite" else postgresql).insert

        def text(statement: ClauseElement, order: Sequence[str]) -> str:
            made: Any = statement.compile(dialect=dialect)
            if list(made.positiontup) != list(order):
                raise TypeError(f"{made} takes {made.positiontup}")
            return str(made)

        def begin(size: int) -> Any:
            return insert(sessions).values(
                [{name: bindparam(f"{name}_{row}") for name in _BEGIN} for row in range(size)]
            )

        def end(size: int) -> ClauseElement:
            given = _given(dialect, _END, size)
            return (
                sessions.update()
                .where(sessions.c.session_id == given.c.session_id, _ended_us.is_(None))
                .values({name: given.c[name] for name in _END[1:]})
            )

        def forget(size: int) -> ClauseElement:
            names: list[Any] = [bindparam(f"session_id_{row}") for row in range(size)]
            return sessions.delete().where(sessions.c.session_id.in_(names), _ended_us.is_(None))

        def order(names: Sequence[str], size: int) -> list[str]:
            return [f"{name}_{row}" for row in range(size) for name in names]

        self.insert: Statement[Begin] = Statement(
            {size: text(begin(size), order(_BEGIN, size)) for size in _SIZES}
        )
        self.insert_keyed: Statement[Begin] = Statement(
            {1: text(begin(1).on_conflict_do_nothing(), order(_BEGIN, 1))}
        )
        self.update: Statement[End] = Statement(
            {size: text(end(size), order(_END, size)) for size in _SIZES}
        )
        self.delete: Statement[Forget] = Statement(
            {size: text(forget(size), order(Forget._fields, size)) for size in _SIZES}
        )


# What a row of each has, in the order of `parameters`.
_BEGIN = (*Begin._fields, "state")
_END = End._fields


def parameters(row: Begin | End | Forget) -> tuple[Any, ...]:
    """Return what a statement takes for this row."""
    return (*row, State.WAITING) if isinstance(row, Begin) else row


def _given(dialect: Dialect, names: Sequence[str], size: int) -> Any:
    """Return rows that are given as parameters, as a table."""
    columns = [column(name, sessions.c[name].type) for name in names]

    def value(one: Any, row: int) -> Any:
        bound = bindparam(f"{one.name}_{row}", type_=one.type)
        # PostgreSQL takes a column without any value for text.
        return bound if dialect.name == "sqlite" else cast(bound, one.type)

    rows = [tuple(value(one, row) for one in columns) for row in range(size)]
    return values(*columns, name="given").data(rows).cte("given")


def _parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size
