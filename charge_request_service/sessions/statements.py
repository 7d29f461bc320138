"""The statements that write, each compiled once for many rows.

Few statements with many rows are faster: between two statements this thread competes with the event
loop for the interpreter, which takes longer than dozens of rows take in the database.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ClauseElement,
    Connection,
    Dialect,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite

from charge_request_service.sessions.record import Begin, End, Forget, Record, State
from charge_request_service.sessions.tables import sessions

_Row = TypeVar("_Row", Begin, Record, End, Forget)

# Any number of rows is the sum of a few of these.
_SIZES = (64, 32, 16, 8, 4, 2, 1)
# The columns of each, in the order of `parameters`.
_BEGIN = (*Begin._fields, "state")
_WHOLE = Begin._fields + End._fields[1:]
_END = End._fields
_ended_us = sessions.c.ended_us


class Statement(Generic[_Row]):
    """A statement that writes rows."""

    def __init__(self, texts: dict[int, str] | str) -> None:
        """Create a statement from its SQL.

        Args:
            texts: SQL for each number of rows, with a parameter for each value; or SQL for any
                number of rows, with an array parameter for each column.
        """
        self._texts = texts

    def execute(self, connection: Connection, rows: Sequence[_Row]) -> list[str]:
        """Write rows; return the session IDs that the statement returns."""
        returned: list[str] = []
        for text, given in self._given(rows):
            result = connection.exec_driver_sql(text, given)
            if result.returns_rows:
                returned += result.scalars()
        return returned

    def _given(self, rows: Sequence[_Row]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        if isinstance(self._texts, str):
            if rows:
                yield self._texts, tuple(map(_array, zip(*map(parameters, rows), strict=True)))
            return
        for some in _parts(rows):
            yield self._texts[len(some)], tuple(value for row in some for value in parameters(row))


class Statements:
    """The statements for one kind of database.

    `insert` is for sessions that begin. `insert_keyed` inserts only those whose key and ID are new,
    and returns their IDs. `insert_whole` is for sessions that have ended. `update` and `delete`
    change only those that have not.
    """

    def __init__(self, dialect: Dialect) -> None:
        make = _Sqlite(dialect) if dialect.name == "sqlite" else _PostgreSQL(dialect)
        self.insert: Statement[Begin] = make.insert(_BEGIN)
        self.insert_keyed: Statement[Begin] = make.insert(_BEGIN, keyed=True)
        self.insert_whole: Statement[Record] = make.insert(_WHOLE)
        self.update: Statement[End] = make.update()
        self.delete: Statement[Forget] = make.delete()


class _Sqlite:
    """A statement for each number of rows."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def insert(self, names: Sequence[str], *, keyed: bool = False) -> Statement[Any]:
        def made(size: int) -> ClauseElement:
            rows: list[dict[str, Any]] = [
                {name: bindparam(f"{name}_{row}") for name in names} for row in range(size)
            ]
            statement = sqlite.insert(sessions).values(rows)
            return _unless_there(statement) if keyed else statement

        return self._statement(made, names)

    def update(self) -> Statement[End]:
        def made(size: int) -> Any:
            columns = [column(name, sessions.c[name].type) for name in _END]
            rows = [
                tuple(bindparam(f"{one.name}_{row}", type_=one.type) for one in columns)
                for row in range(size)
            ]
            return _end(values(*columns, name="given").data(rows).cte("given"))

        return self._statement(made, _END)

    def delete(self) -> Statement[Forget]:
        def made(size: int) -> ClauseElement:
            names: list[Any] = [bindparam(f"session_id_{row}") for row in range(size)]
            return sessions.delete().where(sessions.c.session_id.in_(names), _ended_us.is_(None))

        return self._statement(made, Forget._fields)

    def _statement(
        self, made: Callable[[int], ClauseElement], names: Sequence[str]
    ) -> Statement[Any]:
        texts = {}
        for size in _SIZES:
            order = [f"{name}_{row}" for row in range(size) for name in names]
            texts[size] = _text(made(size), self._dialect, order)
        return Statement(texts)


class _PostgreSQL:
    """A statement for any number of rows: one plan, and few parameters.

    psycopg parses statements with more than fifty parameters each time.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def insert(self, names: Sequence[str], *, keyed: bool = False) -> Statement[Any]:
        given = self._rows(names)
        statement = postgresql.insert(sessions).from_select(
            list(names), select(*(given.c[name] for name in names))
        )
        return self._statement(_unless_there(statement) if keyed else statement, names)

    def update(self) -> Statement[End]:
        rows = self._rows(_END)
        given = select(*(rows.c[name] for name in _END)).cte("given")
        # Looks each row up by its ID; otherwise the plan may scan all open sessions.
        names = func.array(select(given.c.session_id).scalar_subquery())
        is_one: Any = sessions.c.session_id == any_(names)
        return self._statement(_end(given).where(is_one), _END)

    def delete(self) -> Statement[Forget]:
        is_one = sessions.c.session_id == any_(_array_of("session_id"))
        statement = sessions.delete().where(is_one, _ended_us.is_(None))
        return self._statement(statement, Forget._fields)

    def _rows(self, names: Sequence[str]) -> Any:
        rows = func.unnest(*map(_array_of, names))
        return rows.table_valued(*names, name="given").render_derived()

    def _statement(self, statement: ClauseElement, names: Sequence[str]) -> Statement[Any]:
        return Statement(_text(statement, self._dialect, names))


def parameters(row: Begin | Record | End | Forget) -> tuple[Any, ...]:
    """Return the values of a row in the order of the statement's columns."""
    if isinstance(row, Begin):
        return (*row, State.WAITING)
    return (*row.begin, *row.end[1:]) if isinstance(row, Record) else row


def _end(given: Any) -> Any:
    return (
        sessions.update()
        .where(sessions.c.session_id == given.c.session_id, _ended_us.is_(None))
        .values({name: given.c[name] for name in _END[1:]})
    )


def _unless_there(insert: Any) -> ClauseElement:
    statement: ClauseElement = insert.on_conflict_do_nothing().returning(sessions.c.session_id)
    return statement


def _text(statement: ClauseElement, dialect: Dialect, order: Sequence[str]) -> str:
    made: Any = statement.compile(dialect=dialect)
    if list(made.positiontup) != list(order):
        raise TypeError(f"{made} takes {made.positiontup}")
    return str(made)


def _array_of(name: str) -> Any:
    return cast(bindparam(name), postgresql.ARRAY(type(sessions.c[name].type)))


def _array(values_: Sequence[Any]) -> str:
    """Format an array as PostgreSQL's input; psycopg takes twice as long."""
    return f"{{{','.join(map(_element, values_))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)


def _parts(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size
