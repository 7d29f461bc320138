"""The report, docs/soak.md. Pure."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.harness.findings import finding_table
from benchmarks.harness.tables import table
from benchmarks.soak.plan import HOLD_S
from benchmarks.soak.results import BIN_S, MAX_FILES_LEFT, Results, findings, format_growth

PICTURE = "images/soak-memory.svg"

_INTRODUCTION = """\
# Soak

Written by `make soak` (`python -m benchmarks.soak`). The grid runs as processes, the load tester
sends vehicles, and random faults are injected one after the other. Every 2 s the resident memory,
open files, connections and threads of each part are measured.
"""

_RULES = f"""\
## How it is judged

- Parts are killed, frozen and restarted; links between balancer and substations are slowed and cut.
  In the first fifth of the run, the gateway, the balancer and one substation are killed and
  restarted. After that these three are only frozen and cut off, so that their memory can be tracked
  over a long time. All other faults follow in random order, each kind equally often for each part.
- Memory is flat if its growth over the second half (Theil-Sen over medians of {BIN_S:g} s, with
  Sen's 95% interval) is below 1 MiB in 10 minutes at the interval's upper end.
- Files are closed if a part has at most {MAX_FILES_LEFT} more open after the run than before it.
- Responses, logs and counters add up if each session got what its vehicle asked for, over all of
  its attempts, and each running substation counts what its log has. A session that was at a
  substation behind a cut link, or at a frozen one, may have got as much more as a lease delivers.
- *Charged twice* counts vehicles that were fully charged more than once. *Answer lost* counts
  vehicles whose first charge ended while its substation was behind a cut link, or while a part on
  the response's path was killed. Such a vehicle retries, and nobody can know that it was charged
  (see [what cannot be promised](reliability.md#what-cannot-be-promised)).
"""


def write(results: Results) -> str:
    """Write the report."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_circumstances(results),
            *finding_table("must hold", findings(results)),
            f"![Memory of each part over time]({PICTURE})\n",
            "## Parts\n",
            *_parts(results),
            "## Faults\n",
            *_faults(results),
            "## Vehicles\n",
            *_vehicles(results),
            _RULES,
        ]
    )


def _circumstances(results: Results) -> Iterator[str]:
    day = datetime.fromtimestamp(results.began, UTC).date()
    machine = results.machine
    yield (
        f"{day}: {results.minutes:g} minutes at {results.load:.0%} load ({results.rate:.1f} "
        f"vehicles a second), seed {results.seed}, {len(results.injected)} faults. "
        f"{machine['processor']}, {machine['cores']} cores; {machine['system']}; "
        f"Python {machine['python']}.\n"
    )


def _parts(results: Results) -> Iterator[str]:
    yield "Memory in MiB, of the second half; growth in MiB in 10 minutes.\n"
    rows = []
    for part in results.parts:
        half = results.second_half(part)
        growth = results.growth(part)
        every = [sample for life in results.lives if life.part == part for sample in life.samples]
        rows.append(
            (
                part,
                str(sum(life.part == part for life in results.lives)),
                _mib(half[0].memory) if half else "-",
                _mib(half[-1].memory) if half else "-",
                format_growth(growth) if growth and part in results.steadfast else "-",
                str(max((sample.files for sample in every), default=0)),
                str(max((sample.threads for sample in every), default=0)),
            )
        )
    yield from table(
        ("part", "starts", "begin", "end", "growth", "most open files", "most threads"), rows
    )


def _faults(results: Results) -> Iterator[str]:
    count = Counter((one.inject.what, one.inject.target) for one in results.injected)
    rows = [
        (
            what,
            f"{low:g} to {high:g} s" if high else "as long as it drains",
            *(str(count[what, part] or "-") for part in results.parts),
        )
        for what, (low, high) in HOLD_S.items()
    ]
    yield from table(("", "for", *results.parts), rows)
    yield "Faults of a link are counted at its substation.\n"


def _vehicles(results: Results) -> Iterator[str]:
    reconciliation = results.reconciliation
    yield from table(
        ("vehicles", "charged", "came again", "lost", "charged twice", "answer lost"),
        [
            (
                str(reconciliation.vehicles),
                str(reconciliation.charged),
                str(reconciliation.came_again),
                str(len(reconciliation.lost)),
                str(len(reconciliation.twice)),
                str(len(reconciliation.answer_lost)),
            )
        ],
    )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f}"
