"""The report of a run, as a page and as JSON. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.kills.run import Results
from benchmarks.kills.stage import LEASE_KWH
from benchmarks.tables import table

_MOST_SHOWN = 20


def document(results: Results) -> dict[str, Any]:
    """Return what is checked in, and held by a test."""
    found, options = results.reckoning, results.options
    return {
        "kills": results.kills,
        "seed": options.seed,
        "ledger": "postgresql" if options.postgresql else "sqlite",
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
        "excess_sessions": len(found.excess),
        "excess_most_kwh": round(max(found.excess.values(), default=0.0), 3),
        "excess_bound_kwh": round(LEASE_KWH, 3),
        "tries": results.tries,
        "longest_s": round(results.longest_s, 1),
        "settle_s": round(results.settle_s, 1),
        "traced": results.traced,
        "machine": results.machine,
    }


def troubles(results: Results) -> Iterator[str]:
    """Yield what does not agree, in words."""
    found = results.reckoning
    for kind, texts in (
        ("lost", found.lost),
        ("twice", found.twice),
        ("unequal", found.unequal),
        ("strange", found.strange),
    ):
        yield from (f"{kind}: {text}" for text in texts[:_MOST_SHOWN])
        if len(texts) > _MOST_SHOWN:
            yield f"{kind}: {len(texts) - _MOST_SHOWN} more"


def page(documents: Sequence[dict[str, Any]]) -> str:
    """Write the page of one run for each ledger."""
    return "\n".join(
        [
            "# Kills\n",
            "Written by `make kills-long`. Parts of a grid under load are killed with SIGKILL and "
            "started again: at random, two at once, as a vehicle has its last kWh, in the middle "
            "of a commit (at its fsync), as they send. In between parts are frozen and links cut, "
            "in either direction. Vehicles come with an `Idempotency-Key`; each asks again until "
            "it knows its end. Then what each was told is compared with the ledger and with every "
            "substation's meter, to the Wh.\n",
            *(_run(one) for one in documents),
        ]
    )


def _run(one: dict[str, Any]) -> str:
    rows = [
        ["parts killed", f"{one['kills']:,}"],
        *([f"of these faults: {name}", f"{count:,}"] for name, count in one["faults"].items()),
        ["vehicles", f"{one['vehicles']:,}"],
        ["charged", f"{one['charged']:,}"],
        ["stopped by their callers", f"{one['stopped']:,}"],
        ["**lost**", f"**{one['lost']}**"],
        ["**charged twice**", f"**{one['charged_twice']}**"],
        ["**meters, ledger and answers differ**", f"**{one['unequal'] + one['strange']}**"],
        ["kWh asked for by those charged", f"{one['kwh_asked']:,.3f}"],
        ["kWh metered, those stopped included", f"{one['kwh_metered']:,.3f}"],
        ["sessions with too much, at a link that was cut", f"{one['excess_sessions']}"],
        [
            "most that one got too much, kWh",
            f"{one['excess_most_kwh']} (a lease: {one['excess_bound_kwh']})",
        ],
        ["requests that the vehicles made", f"{one['tries']:,}"],
        ["longest from first request to end, s", f"{one['longest_s']}"],
    ]
    machine = one["machine"]
    return (
        f"## Ledger: {one['ledger']}\n\nSeed {one['seed']}, {one['seconds']:,} s on "
        f"{machine['cores']} cores ({machine['processor']}).\n\n"
        + "\n".join(table(["", ""], rows))
        + "\n"
    )
