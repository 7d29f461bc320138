"""Measure the gateway's ledger: `python -m benchmarks.ledger sqlite:////tmp/ledger.sqlite`.

Greenlets write sessions' beginnings and ends, each waiting for its commits; then rows are added,
and readings timed while they go on writing. It wants a ledger of its own: it leaves its rows there.
"""
# ruff: noqa: E402

from gevent import monkey

monkey.patch_all()

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import gevent
from gevent import Greenlet
from prometheus_client import CollectorRegistry
from structlog import get_logger

from charge_request_service.sessions.database import prepare, read_ledger_url
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.record import Begin, End, Kind, State, new_session_id
from charge_request_service.sessions.store import Query

_FILL_AT_ONCE = 5_000
_READINGS = 500


def main() -> None:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("url", help="LEDGER_URL of an empty ledger")
    parser.add_argument(
        "--greenlets", type=int, default=32, help="that write at once (default: 32)"
    )
    parser.add_argument("--seconds", type=float, default=5, help="of writing (default: 5)")
    parser.add_argument(
        "--rows", type=int, default=0, help="to read among (default: none are read)"
    )
    options = parser.parse_args()
    url = read_ledger_url(options.url)
    prepare(url)
    ledger = Ledger(
        url,
        retention_s=7e6,
        key_retention_s=86_400,
        log=get_logger(),
        registry=CollectorRegistry(),
    )
    _measure_writing(ledger, options.greenlets, options.seconds)
    if options.rows:
        _fill(ledger, options.rows)
        _measure_reading(ledger, options.greenlets)
    ledger.close()


def _measure_writing(ledger: Ledger, greenlets: int, seconds: float) -> None:
    waits: list[float] = []
    blocks: list[float] = []
    watch = gevent.spawn(_watch_loop, blocks)
    began, cpu = time.monotonic(), time.process_time()
    gevent.joinall([gevent.spawn(_write, ledger, began + seconds, waits) for _ in range(greenlets)])
    took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    watch.kill()
    rows = len(waits)
    print(f"{rows / took_s:,.0f} rows a second from {greenlets} greenlets")
    print(f"{1e6 * cpu_s / rows:.1f} µs of CPU a row, this process alone")
    print(f"a row waits {_shown(waits)}; the event loop {_shown(blocks)}")


def _measure_reading(ledger: Ledger, greenlets: int) -> None:
    blocks: list[float] = []
    watch = gevent.spawn(_watch_loop, blocks)
    newest = ledger.page(Query(limit=100)).records
    readings: dict[str, Callable[[int], object]] = {
        "GET by id": lambda number: ledger.get(newest[number % len(newest)].session_id),
        "list": lambda _: ledger.page(Query(limit=100)),
        "list, later page": lambda _: ledger.page(Query(limit=100, after=newest[-1].session_id)),
        "list of a vehicle": lambda number: ledger.page(
            Query(limit=100, vehicle_id=newest[number % len(newest)].vehicle_id)
        ),
        "list of the refused": lambda _: ledger.page(Query(limit=100, state=State.REFUSED)),
        "list of an owner's charged": lambda _: ledger.page(
            Query(limit=100, owner="alice", state=State.CHARGED)
        ),
    }
    for under_load in (False, True):
        writers: list[Greenlet[..., None]] = []
        if under_load:
            writers = [
                gevent.spawn(_write, ledger, time.monotonic() + 600, [], 0.03)
                for _ in range(greenlets)
            ]
        for name, read in readings.items():
            took = [_timed(read, number) for number in range(_READINGS)]
            print(f"{name}{' while others write' if under_load else ''}: {_shown(took)}")
        gevent.killall(writers)
    watch.kill()
    print(f"the event loop meanwhile: {_shown(blocks)}")


def _fill(ledger: Ledger, rows: int) -> None:
    """Add rows, quickly: many to a transaction."""
    store, writer = ledger._store, ledger._writer
    start = now_us() - 60_000_000 * 60
    for first in range(0, rows, _FILL_AT_ONCE):
        begins = [
            _begin(ledger, start + number, owner="alice" if number % 5 == 0 else "")
            for number in range(first, first + _FILL_AT_ONCE)
        ]
        ends = [
            _end(begin, State.REFUSED if index % 100 == 0 else State.CHARGED)
            for index, begin in enumerate(begins)
        ]
        writer.do(partial(store.write, jobs=[*begins, *ends]))


def _write(ledger: Ledger, until: float, waits: list[float], pause_s: float = 0.0) -> None:
    while time.monotonic() < until:
        begin = _begin(ledger, now_us())
        waits.append(_timed(ledger.begin, begin))
        gevent.sleep(pause_s)
        waits.append(_timed(ledger.end, _end(begin, State.CHARGED)))


_numbers: Iterator[int] = itertools.count()


def _begin(ledger: Ledger, began_us: int, owner: str = "") -> Begin:
    return Begin(
        session_id=new_session_id(began_us // 1000),
        vehicle_id=f"EV-{next(_numbers) % 5_000}",
        kwh=6.0,
        max_power_kw=None,
        battery_kwh=None,
        soc=None,
        kind=Kind.PLAIN,
        owner=owner,
        key=None,
        digest=None,
        wait_s=60.0,
        began_us=began_us,
        gateway=ledger.gateway,
    )


def _end(begin: Begin, state: State) -> End:
    return End(
        begin.session_id,
        state,
        begin.began_us + 1_204_000,
        substation="substation1",
        attempts=1,
        waited_s=0.0,
        charging_s=1.204,
        energy_kwh=6.0,
        mean_power_kw=50.0,
        peak_power_kw=50.0,
        status=200,
    )


def _timed(work: Callable[..., object], *args: object) -> float:
    began = time.perf_counter()
    work(*args)
    return time.perf_counter() - began


def _watch_loop(blocks: list[float]) -> None:
    """Note how much later than due the loop comes round."""
    while True:
        due = time.perf_counter() + 0.001
        gevent.sleep(0.001)
        blocks.append(max(0.0, time.perf_counter() - due))


def _shown(times: list[float]) -> str:
    cut = statistics.quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
    return (
        f"p50 {1e3 * cut[49]:.2f} ms, p99 {1e3 * cut[98]:.2f} ms, longest {1e3 * max(times):.2f} ms"
    )


if __name__ == "__main__":
    main()
