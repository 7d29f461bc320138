"""Charges of no length through all hops, with the ledger in memory, in a file, in a server."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import databases, throughput
from benchmarks.harness.grid import free_grid
from benchmarks.harness.throughput import Hops, Rush, median_round

MEMORY = "memory"
PLAIN, KEYED = "plain", "keyed"
# Minimum share of the rate with the ledger in memory.
LIMITS = {databases.SQLITE: 0.9, databases.POSTGRESQL: 0.8}
_AT_A_TIME = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """The result of one kind of ledger for one manner of charges: the median round.

    Attributes:
        ledger: `MEMORY`, or one of `databases.KINDS`.
        manner: `PLAIN` or `KEYED`.
        per_s: charges per second.
        share: relative to the ledger in memory: the median of the rounds' shares.
        p50_ms, p99_ms: times of charges.
        cpu_us: CPU time of a charge, by hop.
    """

    ledger: str
    manner: str
    per_s: float
    share: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]


def measure(
    kinds: Sequence[str], *, rounds: int, seconds: int, say: Callable[[str], object]
) -> list[Rate]:
    """Measure the kinds of ledger in turn.

    Args:
        kinds: of `databases.KINDS`; memory is added.
        rounds: number of turns of each.
        seconds: length of a turn for one manner.
        say: called with a line for each.

    Raises:
        StartError: a part did not start.
        CannotMeasure: not every vehicle was charged.
    """
    found: dict[tuple[str, str], list[Rush]] = defaultdict(list)
    with databases.folder_of("rates") as folder, ExitStack() as opened:
        grids = {kind: _grid(kind, folder, opened) for kind in (MEMORY, *kinds)}
        for number in range(1, rounds + 1):
            for manner in (PLAIN, KEYED):
                for kind, hops in grids.items():
                    rush = throughput.rush(
                        hops,
                        folder,
                        at_a_time=_AT_A_TIME,
                        seconds=seconds,
                        keyed=manner == KEYED,
                    )
                    found[kind, manner].append(rush)
                    say(f"    round {number} of {rounds}, {kind}, {manner}: {rush.per_s:,.0f} a s")
    return [_rate(kind, manner, found) for manner in (PLAIN, KEYED) for kind in grids]


def _grid(kind: str, folder: Path, opened: ExitStack) -> Hops:
    own = folder / kind
    own.mkdir()
    server = opened.enter_context(databases.server()) if kind == databases.POSTGRESQL else None
    if server is not None:
        url = server.new_database()
    elif kind == MEMORY:
        url = "sqlite://"
    else:
        url = opened.enter_context(databases.empty(kind, own))
    gateway_env = {"LEDGER_URL": url, "RATE_LIMIT": ""}
    grid = free_grid(own, throughput.POINTS, throughput.KWH_PER_S, gateway_env=gateway_env)
    opened.enter_context(grid)
    return Hops(grid.gateway, grid.balancer, grid.substations, server)


def _rate(kind: str, manner: str, found: dict[tuple[str, str], list[Rush]]) -> Rate:
    rushes = found[kind, manner]
    shares = [
        one.per_s / other.per_s for one, other in zip(rushes, found[MEMORY, manner], strict=True)
    ]
    rush = median_round(rushes)
    return Rate(
        kind,
        manner,
        round(rush.per_s),
        round(statistics.median(shares), 3),
        round(1000 * rush.p50_s, 1),
        round(1000 * rush.p99_s, 1),
        {hop: round(1e6 * cpu_s) for hop, cpu_s in rush.cpu_s.items()},
    )
