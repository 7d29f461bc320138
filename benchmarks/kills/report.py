"""The report: of a segment, and of all of them, as a page and as JSON. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.harness.tables import Figure, by_column, table
from benchmarks.kills.run import Results
from benchmarks.kills.segments import agrees
from benchmarks.kills.testbed import LEASE_KWH

_MAX_SHOWN = 20
_SUMMED = (
    *("kills", "seconds", "vehicles", "charged", "stopped", "lost", "charged_twice"),
    *("unequal", "strange", "excess_sessions", "tries"),
)
_KWH = ("kwh_asked", "kwh_metered", "kwh_written", "excess_kwh")
_MOST = ("excess_most_kwh", "excess_bound_kwh", "longest_s", "settle_s")
# The figures of a segment in the report; they are also summed over all segments.
_OF_A_SEGMENT = (
    *("seed", "began", "commit", "kills", "vehicles", "seconds", "longest_s"),
    *("excess_sessions", "excess_most_kwh"),
)

_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

Document = Mapping[str, Any]


def document(results: Results) -> dict[str, Any]:
    """Return a segment's document, which is kept until the report is written."""
    found, segment = results.reconciliation, results.segment
    return {
        "ledger": segment.ledger,
        "seed": segment.seed,
        "began": results.began.isoformat(timespec="seconds"),
        "commit": results.commit,
        "kills": results.kills,
        "faults": dict(sorted(results.by_fault.items())),
        "seconds": round(results.seconds),
        "vehicles": found.vehicles,
        "charged": found.charged,
        "stopped": found.stopped,
        "lost": len(found.lost),
        "charged_twice": len(found.twice),
        "unequal": len(found.unequal),
        "strange": len(found.strange),
        "kwh_asked": round(found.kwh_asked, 3),
        "kwh_metered": round(found.kwh_metered, 3),
        "kwh_written": round(found.kwh_written, 3),
        "excess_sessions": len(found.excess),
        "excess_kwh": round(sum(found.excess.values()), 3),
        "excess_most_kwh": round(max(found.excess.values(), default=0.0), 3),
        "excess_bound_kwh": round(LEASE_KWH, 3),
        "tries": results.tries,
        "longest_s": round(results.longest_s, 1),
        "settle_s": round(results.settle_s, 1),
        "traced": results.traced,
        "machine": results.machine,
        "troubles": list(trouble_lines(results.troubles)),
    }


def trouble_lines(troubles: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the differences, in words."""
    for kind, texts in troubles.items():
        yield from (f"{kind}: {text}" for text in texts[:_MAX_SHOWN])
        if len(texts) > _MAX_SHOWN:
            yield f"{kind}: {len(texts) - _MAX_SHOWN} more"


def sentence(one: Document) -> str:
    """Describe a segment, or the sum of a ledger's segments, in a sentence."""
    return (
        f"{one['ledger']}: {one['kills']} kills in {one['seconds']} s: {one['vehicles']} vehicles, "
        f"{one['charged']} charged, {one['stopped']} stopped by their callers, {one['lost']} "
        f"lost, {one['charged_twice']} twice, {one['unequal']} unequal, {one['strange']} strange; "
        f"{one['excess_sessions']} with an excess at a substation that was cut off or frozen"
    )


def summed(segments: Sequence[Document]) -> dict[str, Any]:
    """Sum the segments without differences by ledger; list these, and the failed ones."""
    ledgers = sorted({one["ledger"] for one in segments}, reverse=True)  # SQLite is the default
    good = {
        ledger: [one for one in segments if one["ledger"] == ledger and agrees(one)]
        for ledger in ledgers
    }
    return {
        "ledgers": {ledger: _sum(ledger, own) for ledger, own in good.items() if own},
        "failed": [one for one in segments if not agrees(one)],
    }


def _sum(ledger: str, segments: Sequence[Document]) -> dict[str, Any]:
    faults: Counter[str] = Counter()
    for one in segments:
        faults.update(one["faults"])
    return {
        "ledger": ledger,
        "from": min(one["began"] for one in segments),
        "to": max(one["began"] for one in segments),
        "faults": dict(sorted(faults.items())),
        **{name: sum(one[name] for one in segments) for name in _SUMMED},
        **{name: round(sum(one[name] for one in segments), 3) for name in _KWH},
        **{name: max(one[name] for one in segments) for name in _MOST},
        "traced": all(one["traced"] for one in segments),
        "machine": segments[0]["machine"],
        "segments": [{name: one[name] for name in _OF_A_SEGMENT} for one in segments],
    }


def page(runs: Document) -> str:
    """Return the page."""
    ledgers = _named(runs)
    machine = next(iter(ledgers.values()))["machine"]
    parts = [
        "# Kills\n",
        "Written by `make kills-long`. Parts of a grid under load are killed with SIGKILL and "
        "restarted: at random, two at once, just as a vehicle has its last kWh, in the middle of "
        "a commit (at its fsync), as they send. Meanwhile parts are frozen and links are cut, in "
        "either direction. Vehicles send an `Idempotency-Key`; each retries until it knows how "
        "its session ended, and sends its key once more after that. Then the responses are "
        "compared with the ledger and with every substation's meter, to the Wh.\n",
        f"On {machine['cores']} cores ({machine['processor']}), {machine['system']}, Python "
        f"{machine['python']}.\n",
        *_totals(ledgers),
        "An excess is energy that a vehicle got beyond its request where its substation was "
        "disconnected or frozen while it charged: the substation continues until its lease ends, "
        "and reports that energy too late. Everywhere else, meters, ledger and responses that "
        "differ by half a Wh count as different.\n",
        "## Segments\n",
        "Each segment has its own grid, ledger and seed.\n",
        *(line for name, one in ledgers.items() for line in _segments(name, one)),
    ]
    if runs["failed"]:
        parts += _failed(runs["failed"])
    return "\n".join(parts)


def figures(runs: Document) -> str:
    """Return the table of docs/reliability.md."""
    ledgers = _named(runs)
    bound_kwh = next(iter(ledgers.values()))["excess_bound_kwh"]
    rows = [
        *_COUNTS,
        *_rows((f"{_LARGEST} (a lease delivers {bound_kwh:g})", _LARGEST_KWH), _LONGEST),
    ]
    return "\n".join(by_column("ledger", rows, ledgers)).strip()


def _totals(ledgers: Mapping[str, Document]) -> Iterator[str]:
    faults = sorted({name for one in ledgers.values() for name in one["faults"]})
    killed, *counts = _COUNTS
    rows: list[Figure[Document]] = [
        killed,
        *((f"faults: {name}", partial(_count, name)) for name in faults),
        *counts,
        *_rows(
            (_LARGEST, _LARGEST_KWH),
            ("total excess, kWh", "{excess_kwh:,.3f}"),
            ("energy that a lease delivers, kWh", "{excess_bound_kwh:.3f}"),
            ("kWh requested by charged vehicles", "{kwh_asked:,.3f}"),
            ("kWh metered, including stopped vehicles", "{kwh_metered:,.3f}"),
            ("kWh in the ledger", "{kwh_written:,.3f}"),
            ("requests sent by the vehicles", "{tries:,}"),
            _LONGEST,
            ("duration, s", "{seconds:,}"),
        ),
    ]
    return by_column("ledger", rows, ledgers)


def _named(runs: Document) -> dict[str, Document]:
    return {_NAMES[ledger]: one for ledger, one in runs["ledgers"].items()}


def _rows(*rows: tuple[str, str]) -> list[Figure[Document]]:
    return [(name, form.format_map) for name, form in rows]


_COUNTS = _rows(
    ("parts killed", "{kills:,}"),
    ("vehicles", "{vehicles:,}"),
    ("charged", "{charged:,}"),
    ("stopped by their callers", "{stopped:,}"),
    ("lost", "{lost:,}"),
    ("charged twice", "{charged_twice:,}"),
    ("meters, ledger or responses differ", "{unequal:,}"),
    ("other unexpected responses", "{strange:,}"),
    ("excess at a disconnected or frozen substation, vehicles", "{excess_sessions:,}"),
)
_LARGEST, _LARGEST_KWH = "largest excess, kWh", "{excess_most_kwh:.3f}"
_LONGEST = ("longest time from first request to end, s", "{longest_s:.1f}")


def _count(fault: str, one: Document) -> str:
    return f"{one['faults'].get(fault, 0):,}"


def _segments(name: str, ledger: Document) -> Iterator[str]:
    headings = ["began, UTC", "seed", "kills", "vehicles", "longest, s", "excess, kWh", "commit"]
    yield f"### {name}\n"
    yield from table(
        headings,
        [
            [
                one["began"][:16].replace("T", " "),
                *(str(one[name]) for name in ("seed", "kills", "vehicles", "longest_s")),
                f"{one['excess_most_kwh']:.3f}" if one["excess_sessions"] else "0",
                one["commit"] or "not known",
            ]
            for one in ledger["segments"]
        ],
    )


def _failed(segments: Sequence[Document]) -> Iterator[str]:
    yield "## Segments with differences\n"
    yield "They are not counted above; other seeds were run instead.\n"
    for one in segments:
        yield (
            f"- {one['ledger']}, seed {one['seed']}, {one['kills']} kills, "
            f"{one['began'][:16].replace('T', ' ')}, commit {one['commit']}. "
            f"{one.get('cause', 'Cause unknown.')}"
        )
        for line in one["troubles"]:
            yield f"  - {line[:300]}"
    yield ""
