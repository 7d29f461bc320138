"""The report, as tables. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.harness import machine
from benchmarks.harness.tables import Figure, by_column, by_row, table

_INTRODUCTION = """\
# The ledger

Written by `make bench-ledger` (`python -m benchmarks.ledger`); what it means:
[docs/performance.md](../../docs/performance.md#the-ledger). Figures depend on the machine; compare
those of one scene alone.
"""


def page(scenes: Mapping[str, Any]) -> str:
    """Return the report of the available scenes."""
    lines = [_INTRODUCTION]
    for name, write in _PARTS.items():
        if name in scenes:
            lines += write(scenes[name]["found"])
            lines.append(f"{machine.sentence(scenes[name]['machine'])}\n")
    return "\n".join(lines)


def _keys(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Keys\n"
    yield (
        "Each key is sent five times at once, one in ten of them by callers that all disconnect; a "
        "caller that was not answered sends it again. Meanwhile gateway, balancer and a substation "
        "are killed. Then the gateway is killed once more, and each key is sent five times at once "
        "again, and once with another body. A charge takes 0.1 s.\n"
    )
    answers = sorted({name for one in found.values() for name in one["answers"]})
    figures: list[Figure[Mapping[str, Any]]] = [
        ("keys", "{keys:,}".format_map),
        ("sessions in the ledger", "{sessions:,}".format_map),
        *((_ANSWERS[name], partial(_answers, name)) for name in answers),
        ("keys that were taken over after all had disconnected", "{taken_over:,}".format_map),
        ("parts killed", "{kills:,}".format_map),
        ("kWh asked for", "{kwh_asked:,}".format_map),
        ("kWh on the meters", "{kwh_metered:,}".format_map),
        ("seconds", "{seconds:,}".format_map),
        ("**wrong**", _troubles),
    ]
    yield from by_column("", figures, found)


def _answers(name: str, one: Mapping[str, Any]) -> str:
    return f"{one['answers'].get(name, 0):,}"


def _troubles(one: Mapping[str, Any]) -> str:
    return f"**{len(one['troubles'])}**"


# Descriptions of the kinds of responses to keys.
_ANSWERS = {
    "another body": "422: the key with another body",
    "broken off": "no answer, for a part was killed",
    "charged": "200: charged",
    "disconnected": "requests whose callers disconnected",
    "replayed": "200: the same bytes again",
    "running": "409 with `Location`: it runs, and another waits",
    "unavailable": "503: the balancer cannot be reached",
}


def _loop(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    yield "## The event loop\n"
    yield (
        "A greenlet sleeps for 1 ms again and again, and notes how much later it wakes: beside 32 "
        "greenlets that begin and end sessions, 600 rows a second, with 4 that list them, and "
        "beside as many that only sleep.\n"
    )
    rows = [
        (f"{kind}, {words}", reported[name])
        for kind, reported in found.items()
        for name, words in (("ledger", "with the ledger"), ("none", "without"))
    ]
    yield from by_row("late by, ms", _DELAYS, rows)


_DELAYS: Sequence[Figure[Mapping[str, Any]]] = (
    ("p50", "{p50_ms:.2f}".format_map),
    ("p99", "{p99_ms:.2f}".format_map),
    ("p99.9", "{p999_ms:.2f}".format_map),
    ("longest", "{longest_ms:.2f}".format_map),
    ("over 5 ms", "{over_5_ms}".format_map),
    ("looks", "{looks:,}".format_map),
)


def _rates(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Rates\n"
    yield (
        "Charges of no length through gateway, balancer and a substation with a journal, 32 at a "
        "time. The kinds of ledger take turns; the median round. CPU time of each part for one "
        "charge, in µs.\n"
    )
    yield from by_row("", _RATES, [(f"{one['manner']}, {one['ledger']}", one) for one in found])


def _cpu(part: str, one: Mapping[str, Any]) -> str:
    return f"{one['cpu_us'].get(part, 0):.0f}"


_RATES: Sequence[Figure[Mapping[str, Any]]] = (
    ("charges/s", "{per_s:,.0f}".format_map),
    ("of memory's", "{share:.0%}".format_map),
    ("p50 ms", "{p50_ms:.1f}".format_map),
    ("p99 ms", "{p99_ms:.1f}".format_map),
    *((part, partial(_cpu, part)) for part in ("gateway", "balancer", "substation", "database")),
)


def _reads(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "## Reads\n"
    rows = next(iter(found.values()))["rows"]
    yield (
        f"Over HTTP, from a ledger of {rows:,} sessions; p99 in ms, one reading after the other: "
        "alone, and while 150 charges a second come in. A list has up to 100 sessions.\n"
    )
    columns = [(kind, when) for kind in found for when in ("alone_ms", "under_writes_ms")]
    words = {"alone_ms": "alone", "under_writes_ms": "under writes"}
    names = [one["name"] for one in next(iter(found.values()))["readings"]]
    reported = {
        (kind, one["name"]): one for kind, part in found.items() for one in part["readings"]
    }
    yield from table(
        ("", *(f"{kind}, {words[when]}" for kind, when in columns)),
        [
            (name, *(f"{reported[kind, name][when]:.1f}" for kind, when in columns))
            for name in names
        ],
    )


def _many_vehicles(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Thousands at once\n"
    yield (
        "They come 300 a second to three substations with journals, the ledger in a file of "
        "SQLite, and all charge at the same time. The balancer is killed under those that outlive "
        "their request, and restarted gracefully; both times it has each of them in flight "
        "again. Memory is the processes' own for each vehicle. A pause is the time in which a "
        "vehicle is at its point and gets nothing.\n"
    )
    yield from by_column("", _MANY_VEHICLES, {one["manner"]: one for one in found})
    yield (
        "A plain vehicle held before there were ledger and journals took 28.0 KB at the gateway, "
        "30.1 at the balancer and 20.5 at its substation, on the same machine.\n"
    )


def _if_restarted(form: str, one: Mapping[str, Any]) -> str:
    return form.format_map(one) if one["restarts"] else ""


_MANY_VEHICLES: Sequence[Figure[Mapping[str, Any]]] = (
    ("vehicles", "{vehicles:,}".format_map),
    ("charged", "{charged:,}".format_map),
    ("stopped by a caller", lambda one: "1" if one["restarts"] else "0"),
    ("gateway, KB each", "{memory_kb[gateway]:.1f}".format_map),
    ("balancer, KB each", "{memory_kb[balancer]:.1f}".format_map),
    ("substation, KB each", "{memory_kb[substation]:.1f}".format_map),
    ("all led again after SIGKILL, s", partial(_if_restarted, "{restarts[SIGKILL]:.1f}")),
    ("all led again after SIGTERM, s", partial(_if_restarted, "{restarts[SIGTERM]:.1f}")),
    ("longest pause of a charge, s", "{longest_pause_s:.2f}".format_map),
    ("latest from end to ledger, s", "{latest_s:.2f}".format_map),
    ("slowest page of open ones, ms", "{list_ms:.0f}".format_map),
    ("a stop, ms", partial(_if_restarted, "{stop_ms:.0f}")),
    ("**lost, or not as metered**", _troubles),
)


def _outages(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## The ledger is away\n"
    yield (
        "Vehicles come 4 a second with keys and charge for 1 to 40 s, held, async and stopped by "
        "their callers; beside them new ones that do not come back, 4 a second with a key and 4 "
        "without. Each of those that came in the outage was answered 503 with why and "
        "`Retry-After`. In the end answers, ledger and meters are compared, to the Wh.\n"
    )
    yield from by_column("", _OUTAGES, {one["kind"]: one for one in found})
    yield "What new ones were told:\n"
    for one in found:
        for text in sorted(one["refused"]):
            yield f"- {one['kind']}: {text}"
    yield ""


_OUTAGES: Sequence[Figure[Mapping[str, Any]]] = (
    ("away from the first refusal on, s", "{away_s:,}".format_map),
    ("first refusal after, s", "{refused_after_s:,}".format_map),
    ("charging when it began", "{running:,}".format_map),
    ("sessions that ended in it", "{ended:,}".format_map),
    ("new charges refused", lambda one: f"{sum(one['refused'].values()):,}"),
    ("most rows that waited", "{waiting:,}".format_map),
    ("a new charge is taken again after, s", "{taken_after_s:,}".format_map),
    ("all is written after, s", "{written_after_s:,}".format_map),
    ("vehicles with keys", "{vehicles:,}".format_map),
    ("charged", "{charged:,}".format_map),
    ("stopped by their callers", "{stopped:,}".format_map),
    ("kWh on the meters", "{kwh_metered:,}".format_map),
    ("kWh in the ledger", "{kwh_written:,}".format_map),
    ("**lost, twice, or not as told**", _troubles),
)


_PARTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "rates": _rates,
    "loop": _loop,
    "reads": _reads,
    "keys": _keys,
    "many-vehicles": _many_vehicles,
    "outages": _outages,
}
