"""Reads of sessions over HTTP from a ledger of a million rows, alone and during writes."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.harness import databases
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import free_grid, load_tester
from benchmarks.harness.timing import TimedCaller
from benchmarks.ledger import records
from charge_request_service.auth.keys import make_key
from charge_request_service.sessions.database import Database
from charge_request_service.sessions.ledger import now_us
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.preparation import prepare
from charge_request_service.sessions.record import Record, State
from charge_request_service.sessions.store import Store
from load_tester.latency import percentile

# Limits of the 99th percentile, ms.
LIMIT_ONE_MS, LIMIT_LIST_MS = 10.0, 25.0
ONE = "one session by its id"
# For comparison: the time of the shortest response on this machine.
NOTHING = "no session: /healthz"
_OPERATOR, _OWNER, _OTHERS = "room", "alice", "bob"
_OWNED, _REFUSED, _STOPPED, _VEHICLES = 5, 99, 51, 5_000  # one row in so many; so many vehicles
_DAYS = 30
_AT_ONCE = 10_000
_READINGS = 300
_PAUSE_S = 0.003
_WRITES_PER_S = 150
_KWH_PER_S = 14_000.0  # a charge ends as soon as it begins


@dataclass(frozen=True, slots=True)
class Reading:
    """The p99 of a read, ms: alone, and while charges are written."""

    name: str
    alone_ms: float
    under_writes_ms: float

    @property
    def limit_ms(self) -> float:
        """Its limit."""
        return LIMIT_ONE_MS if self.name == ONE else LIMIT_LIST_MS


@dataclass(frozen=True, slots=True)
class Reads:
    """The results: `rows` in the ledger, and each read."""

    rows: int
    readings: list[Reading]


def read(kind: str, rows: int) -> Reads:
    """Fill a ledger, and read it through a gateway.

    Args:
        kind: one of `databases.KINDS`.
        rows: number of sessions.

    Raises:
        StartError: a part did not start.
        CannotMeasure: PostgreSQL is not installed, or a read failed.
    """
    with databases.folder_of("reads") as folder, databases.empty(kind, folder) as url:
        ids = _fill(url, rows)
        keys = {name: make_key(name, operator=name == _OPERATOR) for name in _NAMES}
        ring = folder / "keys"
        ring.write_text("".join(f"{line}\n" for _, line in keys.values()), encoding="utf-8")
        others = folder / "key"
        others.write_text(keys[_OTHERS][0], encoding="utf-8")
        gateway_env = {"LEDGER_URL": url, "CHARGE_API_KEYS_FILE": str(ring)}
        with free_grid(folder, (64,), _KWH_PER_S, gateway_env=gateway_env) as grid:
            callers = {
                name: TimedCaller(grid.gateway.port, {"Authorization": f"Bearer {key}"})
                for name, (key, _) in keys.items()
            }
            alone = dict(_measured(callers, ids))
            with _writing(grid.url, others, folder):
                writing = dict(_measured(callers, ids))
        return Reads(rows, [Reading(name, alone[name], writing[name]) for name in alone])


_NAMES = (_OPERATOR, _OWNER, _OTHERS)


def _fill(url: str, rows: int) -> list[str]:
    """Write sessions that ended in the last days; return the IDs of some."""
    where = read_ledger_url(url)
    prepare(where)
    database = Database(where)
    began_us, step_us = now_us() - _DAYS * 86_400_000_000, _DAYS * 86_400_000_000 // rows
    store, some = Store(database.dialect), list[str]()
    with database.writer("filler") as connection:
        for first in range(0, rows, _AT_ONCE):
            numbers = range(first, min(rows, first + _AT_ONCE))
            made = [_row(number, began_us + step_us * number) for number in numbers]
            with connection.begin():
                store.write(connection, made)
            some.append(made[0].session_id)
    database.close()
    return some


def _row(number: int, began_us: int) -> Record:
    state = State.CHARGED
    if number % _REFUSED == 0:
        state = State.REFUSED
    elif number % _STOPPED == 1:
        state = State.STOPPED
    owner = _OWNER if number % _OWNED == 0 else _OTHERS
    begin = records.begin(began_us, f"EV-{number % _VEHICLES}", owner=owner, gateway="filler")
    return Record(begin, records.end(begin, state))


def _measured(
    callers: Mapping[str, TimedCaller], ids: Sequence[str]
) -> Iterator[tuple[str, float]]:
    room, alice = callers[_OPERATOR], callers[_OWNER]
    rng = random.Random("reads")
    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400))

    def vehicle() -> str:
        return f"EV-{rng.randrange(_VEHICLES)}"

    yield NOTHING, _p99_ms(room, lambda: "/healthz")
    yield ONE, _p99_ms(room, lambda: f"/sessions/{rng.choice(ids)}")
    yield "list", _p99_ms(room, lambda: _list())
    yield "list, a page far back", _p99_ms(room, lambda: _list(cursor=rng.choice(ids)))
    yield "list of a vehicle", _p99_ms(room, lambda: _list(vehicle_id=vehicle()))
    for state in (State.CHARGED, State.STOPPED, State.REFUSED, "open"):
        yield f"list of the {state}", _p99_ms(room, partial(_list, state=state))
    yield "list since a day ago", _p99_ms(room, lambda: _list(since=day))
    yield (
        "list of a vehicle's stopped since then",
        _p99_ms(room, lambda: _list(vehicle_id=vehicle(), state=State.STOPPED, since=day)),
    )
    yield "an owner's own list", _p99_ms(alice, lambda: _list())
    yield "an owner's charged", _p99_ms(alice, lambda: _list(state=State.CHARGED))
    yield "an owner's stopped", _p99_ms(alice, lambda: _list(state=State.STOPPED))
    yield "an owner's of a vehicle", _p99_ms(alice, lambda: _list(vehicle_id=vehicle()))


def _list(**query: str) -> str:
    return f"/sessions?{urlencode({'limit': 100, **query})}"


def _p99_ms(caller: TimedCaller, path: Callable[[], str]) -> float:
    times = []
    for _ in range(_READINGS):
        times.append(caller.send("GET", path()))
        time.sleep(_PAUSE_S)
    return round(1000 * percentile(sorted(times), 99), 1)


@contextmanager
def _writing(url: str, key_file: Path, folder: Path) -> Iterator[None]:
    """Send charges while the block runs."""
    tester = load_tester(
        *(url, folder / "load_tester.log", "--no-decisions", "--api-key-file", str(key_file)),
        *("--vehicles", "1000000", "--rate", str(_WRITES_PER_S), "--kwh", "0.001"),
    )
    try:
        tester.start()
        time.sleep(2)
        yield
        if not tester.running:
            raise CannotMeasure(f"nothing was written meanwhile:\n{tester.log_tail()}")
    finally:
        tester.kill()
