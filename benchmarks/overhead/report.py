"""The report: tables with the cost of a charge. Pure."""

from collections.abc import Iterator

from benchmarks.harness import machine
from benchmarks.harness.tables import table
from benchmarks.harness.throughput import Rush
from benchmarks.overhead.choice import CHOOSERS, LIMITS_US
from benchmarks.overhead.many import AT_A_TIME, kb_for_each, per_core
from benchmarks.overhead.results import Results, TopologyResult
from load_balancer.routing.policies import DEFAULT_POLICY

_INTRODUCTION = """\
# What a charge costs

Written by `make bench-cost` (`python -m benchmarks.overhead`).
[docs/performance.md](../../docs/performance.md) describes what was slow and how it was fixed.
Figures depend on the machine; compare those of one run only.
"""


def write(results: Results) -> str:
    """Return the report."""
    parts = (_circumstances, _choices, _many, _rushes, _held)
    return "\n".join([_INTRODUCTION, *(line for part in parts for line in part(results))])


def _circumstances(results: Results) -> Iterator[str]:
    versions = ", ".join(f"{name}: {version}" for name, version in results.versions.items())
    yield (f"{machine.sentence(results.machine)} {versions}. {results.took_s / 60:.1f} minutes.\n")
    for name, why in results.skipped.items():
        yield f"Skipped: {name}, because {why}.\n"


def _choices(results: Results) -> Iterator[str]:
    yield "## A choice\n"
    yield (
        "Of the balancer's core by itself: a vehicle arrives beside a free point, a substation is "
        "chosen and counted. Unlike substations, nine points in ten taken. "
        f"The limits are {DEFAULT_POLICY}'s.\n"
    )
    sizes = sorted({one.substations for one in results.choices})
    costs = {(one.policy, one.substations): one.median_us for one in results.choices}
    yield from table(
        ("median, µs", *(f"{size} substations" for size in sizes)),
        [
            *((name, *(f"{costs[name, size]:.0f}" for size in sizes)) for name in CHOOSERS),
            ("limit", *(f"{LIMITS_US[size]:.0f}" if size in LIMITS_US else "" for size in sizes)),
        ],
    )


def _many(results: Results) -> Iterator[str]:
    if not results.many:
        return
    yield "## Many substations\n"
    yield (
        f"Charges of no length, {AT_A_TIME} at a time, at substations that answer at once and "
        "publish their power: one process with an address for each. Medians of several rounds (3 "
        "by default), in which the rows take turns; compare rows of this table alone. "
        "`python -m benchmarks.overhead --many` measures it by itself. CPU time is the balancer's, "
        "for a charge with the polls of that time, and as a share of a processor where nobody "
        "charges. From these two follows the rate of a balancer with a processor of its own; other "
        "work on the machine affects it less than the rate that was measured.\n"
    )
    fewest = {row.policy: row for row in reversed(results.many)}
    yield from table(
        (
            *("", "substations", "charges/s", "of the first", "p99 ms", "CPU µs", "idle CPU"),
            *("charges/s of a processor", "of the first"),
        ),
        [
            (
                row.policy,
                f"{row.substations:,}",
                f"{row.per_s:,.0f}",
                f"{row.per_s / fewest[row.policy].per_s:.0%}",
                f"{row.p99_s * 1000:.1f}",
                f"{row.cpu_s * 1e6:.0f}",
                f"{row.idle_cpu:.1%}",
                f"{per_core(row):,.0f}",
                f"{per_core(row) / per_core(fewest[row.policy]):.0%}",
            )
            for row in results.many
        ],
    )
    for policy in fewest:
        yield f"{policy}: {kb_for_each(results.many, policy):.1f} KB for each substation.\n"


def _rushes(results: Results) -> Iterator[str]:
    topologies = [topology for topology in results.topologies if topology.rushes]
    if not topologies:
        return
    for index, rush in enumerate(topologies[0].rushes):
        yield f"## Charges of no length, {rush.at_a_time} at a time\n"
        yield (
            f"Medians of {results.rounds} rounds, in which the ways take turns. CPU time of each "
            "part for one charge; wrk's own, which runs on the same processors, is not in it.\n"
        )
        yield from table(
            ("", "charges/s", "p50 ms", "p99 ms", "CPU µs", "gateway", "balancer", "substation"),
            [(topology.name, *_rush(topology.rushes[index])) for topology in topologies],
        )


def _rush(rush: Rush) -> Iterator[str]:
    yield f"{rush.per_s:,.0f}"
    yield f"{rush.p50_s * 1000:.1f}"
    yield f"{rush.p99_s * 1000:.1f}"
    yield f"{sum(rush.cpu_s.values()) * 1e6:.0f}"
    for part in ("gateway", "balancer", "substation"):
        yield f"{rush.cpu_s[part] * 1e6:.0f}" if part in rush.cpu_s else ""


def _held(results: Results) -> Iterator[str]:
    rows = [row for topology in results.topologies for row in _held_rows(topology)]
    if not rows:
        return
    yield "## Vehicles held at once\n"
    yield (
        "They arrive at 300 a second and charge until all are there and others have been timed "
        "beside them, one after the other. Memory is the processes' own, for each vehicle and hop; "
        "times are of those others, p99, in ms.\n"
    )
    yield from table(
        (
            "",
            *("vehicles", "lost", "gateway KB", "balancer KB", "substation KB"),
            *("alone", "while they arrive", "while they charge"),
        ),
        rows,
    )


def _held_rows(topology: TopologyResult) -> Iterator[tuple[str, ...]]:
    for held in topology.held:
        yield (
            topology.name,
            f"{held.vehicles:,}",
            str(held.lost),
            *(
                f"{held.memory_bytes[part] / 1024:.1f}" if part in held.memory_bytes else ""
                for part in ("gateway", "balancer", "substation")
            ),
            *(
                f"{times.p99_s * 1000:.1f}"
                for times in (held.alone, held.while_they_arrive, held.while_they_charge)
            ),
        )
