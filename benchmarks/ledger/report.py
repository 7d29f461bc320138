"""The report, as tables. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.harness import machine
from benchmarks.harness.tables import table

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
    rows = [("keys", "keys"), ("sessions in the ledger", "sessions")]
    yield from table(
        ("", *found),
        [
            *((text, *(f"{one[name]:,}" for one in found.values())) for text, name in rows),
            *(
                (_ANSWERS[name], *(f"{one['answers'].get(name, 0):,}" for one in found.values()))
                for name in answers
            ),
            *(
                (text, *(f"{one[name]:,}" for one in found.values()))
                for text, name in (
                    ("keys that were taken over after all had disconnected", "taken_over"),
                    ("parts killed", "kills"),
                    ("kWh asked for", "kwh_asked"),
                    ("kWh on the meters", "kwh_metered"),
                    ("seconds", "seconds"),
                )
            ),
            ("**wrong**", *(f"**{len(one['troubles'])}**" for one in found.values())),
        ],
    )


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
    yield from table(
        ("late by, ms", "p50", "p99", "p99.9", "longest", "over 5 ms", "looks"),
        [
            (
                name,
                *(f"{one[key]:.2f}" for key in ("p50_ms", "p99_ms", "p999_ms", "longest_ms")),
                f"{one['over_5_ms']}",
                f"{one['looks']:,}",
            )
            for name, one in rows
        ],
    )


def _rates(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Rates\n"
    yield (
        "Charges of no length through gateway, balancer and a substation with a journal, 32 at a "
        "time. The kinds of ledger take turns; the median round. CPU time of each part for one "
        "charge, in µs.\n"
    )
    yield from table(
        ("", "charges/s", "of memory's", "p50 ms", "p99 ms", *_PARTS_OF_A_CHARGE),
        [
            (
                f"{one['manner']}, {one['ledger']}",
                f"{one['per_s']:,.0f}",
                f"{one['share']:.0%}",
                f"{one['p50_ms']:.1f}",
                f"{one['p99_ms']:.1f}",
                *(f"{one['cpu_us'].get(part, 0):.0f}" for part in _PARTS_OF_A_CHARGE),
            )
            for one in found
        ],
    )


_PARTS_OF_A_CHARGE = ("gateway", "balancer", "substation", "database")


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


def _crowd(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Thousands at once\n"
    yield (
        "They come 300 a second to three substations with journals, the ledger in a file of "
        "SQLite, and all charge at the same time. The balancer is killed under those that outlive "
        "their request, and restarted gracefully; both times it has each of them in flight "
        "again. Memory is the processes' own for each vehicle. A pause is the time in which a "
        "vehicle is at its point and gets nothing.\n"
    )
    yield from table(
        ("", *(one["manner"] for one in found)),
        [
            ("vehicles", *(f"{one['vehicles']:,}" for one in found)),
            ("charged", *(f"{one['charged']:,}" for one in found)),
            ("stopped by a caller", *("1" if one["restarts"] else "0" for one in found)),
            *(
                (f"{hop}, KB each", *(f"{one['memory_kb'][hop]:.1f}" for one in found))
                for hop in ("gateway", "balancer", "substation")
            ),
            *(
                (
                    f"all led again after {how}, s",
                    *(f"{one['restarts'][how]:.1f}" if one["restarts"] else "" for one in found),
                )
                for how in ("SIGKILL", "SIGTERM")
            ),
            ("longest pause of a charge, s", *(f"{one['longest_pause_s']:.2f}" for one in found)),
            ("latest from end to ledger, s", *(f"{one['latest_s']:.2f}" for one in found)),
            ("slowest page of open ones, ms", *(f"{one['list_ms']:.0f}" for one in found)),
            (
                "a stop, ms",
                *(f"{one['stop_ms']:.0f}" if one["restarts"] else "" for one in found),
            ),
            ("**lost, or not as metered**", *(f"**{len(one['troubles'])}**" for one in found)),
        ],
    )
    yield (
        "A plain vehicle held before there were ledger and journals took 28.0 KB at the gateway, "
        "30.1 at the balancer and 20.5 at its substation, on the same machine.\n"
    )


def _outages(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## The ledger is away\n"
    yield (
        "Vehicles come 4 a second with keys and charge for 1 to 40 s, held, async and stopped by "
        "their callers; beside them new ones that do not come back, 4 a second with a key and 4 "
        "without. Each of those that came in the outage was answered 503 with why and "
        "`Retry-After`. In the end answers, ledger and meters are compared, to the Wh.\n"
    )
    yield from table(
        ("", *(one["kind"] for one in found)),
        [
            (text, *(_shown(one, name) for one in found))
            for text, name in (
                ("away from the first refusal on, s", "away_s"),
                ("first refusal after, s", "refused_after_s"),
                ("charging when it began", "running"),
                ("sessions that ended in it", "ended"),
                ("new charges refused", "refused"),
                ("most rows that waited", "waiting"),
                ("a new charge is taken again after, s", "taken_after_s"),
                ("all is written after, s", "written_after_s"),
                ("vehicles with keys", "vehicles"),
                ("charged", "charged"),
                ("stopped by their callers", "stopped"),
                ("kWh on the meters", "kwh_metered"),
                ("kWh in the ledger", "kwh_written"),
                ("**lost, twice, or not as told**", "troubles"),
            )
        ],
    )
    yield "What new ones were told:\n"
    for one in found:
        for text in sorted(one["refused"]):
            yield f"- {one['kind']}: {text}"
    yield ""


def _shown(one: Mapping[str, Any], name: str) -> str:
    value = one[name]
    if name == "troubles":
        return f"**{len(value)}**"
    if name == "refused":
        return f"{sum(value.values()):,}"
    return f"{value:,}"


_PARTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "rates": _rates,
    "loop": _loop,
    "reads": _reads,
    "keys": _keys,
    "crowd": _crowd,
    "outages": _outages,
}
