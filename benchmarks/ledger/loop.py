"""Measures delays of the event loop with a ledger that is written and read, and without one.

It runs in its own process, because gevent patches the standard library: `python -m
benchmarks.ledger.loop URL`.
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from prometheus_client import CollectorRegistry
from structlog import get_logger

from benchmarks.ledger import records
from charge_request_service.sessions.ledger import Ledger, now_us
from charge_request_service.sessions.ledger_url import read_ledger_url
from charge_request_service.sessions.listing import Query
from charge_request_service.sessions.preparation import prepare
from load_tester.latency import percentile

_WRITERS, _READERS = 32, 4
# Each writer begins and ends a session at this interval: 32 of them make 300 a second; a reader
# lists 100 of them. Seconds.
_WRITE_EVERY_S, _READ_EVERY_S = 0.1, 0.1
_LATE_S = 0.005
_numbers = itertools.count()


def main(url: str, seconds: float) -> None:
    """Measure and print the loop's delays, with a ledger and with greenlets that use none."""
    where = read_ledger_url(url)
    prepare(where)
    ledger = Ledger(
        where,
        retention_s=7e6,
        key_retention_s=86_400,
        log=get_logger(),
        registry=CollectorRegistry(),
    )

    def write() -> None:
        vehicle_id = f"EV-{next(_numbers) % 5_000}"
        begin = records.begin(now_us(), vehicle_id, gateway=ledger.gateway)
        ledger.begin(begin)
        ledger.end(records.end(begin))

    def read() -> None:
        page = ledger.page(Query(limit=100))
        if page.records:
            ledger.get(page.records[-1].session_id)

    document = {}
    for name, writing, reading in (
        ("ledger", write, read),
        ("none", lambda: gevent.sleep(0.002), lambda: gevent.sleep(0.002)),
    ):
        document[name] = _measure(writing, reading, seconds)
    ledger.close()
    sys.stdout.write(json.dumps(document) + "\n")


def _measure(
    write: Callable[[], object], read: Callable[[], object], seconds: float
) -> dict[str, Any]:
    late: list[float] = []
    greenlets = [
        *(gevent.spawn(_again, write, _WRITE_EVERY_S) for _ in range(_WRITERS)),
        *(gevent.spawn(_again, read, _READ_EVERY_S) for _ in range(_READERS)),
    ]
    gevent.sleep(0.5)
    watch = gevent.spawn(_watch, late)
    gevent.sleep(seconds)
    gevent.killall([watch, *greenlets])
    late.sort()
    return {
        "p50_ms": round(1000 * percentile(late, 50), 2),
        "p99_ms": round(1000 * percentile(late, 99), 2),
        "p999_ms": round(1000 * percentile(late, 99.9), 2),
        "longest_ms": round(1000 * late[-1], 2),
        "over_5_ms": sum(one > _LATE_S for one in late),
        "looks": len(late),
    }


def _again(work: Callable[[], object], every_s: float) -> None:
    while True:
        work()
        gevent.sleep(every_s)


def _watch(late: list[float]) -> None:
    """Record how much later than due the loop runs."""
    while True:
        due = time.perf_counter() + 0.001
        gevent.sleep(0.001)
        late.append(max(0.0, time.perf_counter() - due))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
