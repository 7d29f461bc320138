"""The command: plays the selected scenes, prints progress, writes the report."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import interruption, machine, out
from benchmarks.ledger import crowd, databases, keys, outages, rates, reads, report
from benchmarks.ledger.results import Results
from benchmarks.overhead import throughput
from benchmarks.overhead.cli import allow_files
from local_stack.process import ROOT, StartError

RESULTS = ROOT / "benchmarks" / "results"
Say = Callable[[str], None]
# A scene returns its results and a list of errors.
Scene = Callable[[argparse.Namespace, Say], tuple[Any, list[str]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the scenes; the exit status is 1 if a session was lost or a bound exceeded."""
    options = parse(arguments)
    console = Console(highlight=False, soft_wrap=True)
    interruption.raise_on_signal()

    def say(text: str) -> None:
        console.print(text, markup=False)

    results, troubles = Results(options.out), list[str]()
    try:
        for name in options.scenes:
            say(f"{name}:")
            found, wrong = SCENES[name](options, say)
            results.add(name, machine.describe(), found)
            troubles += [f"{name}: {text}" for text in wrong]
            if options.out is not None:
                page = report.page(results.scenes)
                (options.out / "ledger.md").write_text(page, encoding="utf-8")
    except KeyboardInterrupt:
        say(interruption.WORDS)
        return interruption.STATUS
    except (StartError, RuntimeError) as error:
        say(f"error: {error}")
        return 1
    if options.out is None:
        say(f"\n{report.page(results.scenes)}")
    else:
        say(f"written to {options.out}")
    for text in troubles:
        say(f"error: {text}")
    return int(bool(troubles))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; an error ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ledger",
        description="Measure the gateway's session ledger, on SQLite and, if it is installed, on "
        "PostgreSQL, and make it fail under load.",
        epilog="Scenes: " + "; ".join(f"{name}: {text}" for name, text in _MEANINGS.items()) + ".",
    )
    parser.add_argument(
        "scenes", nargs="*", metavar="SCENE", help=f"{', '.join(SCENES)}; none: all of them"
    )
    parser.add_argument("--quick", action="store_true", help="everything smaller or shorter")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="directory of the report, in which other scenes are kept; a whole run writes to "
        "benchmarks/results, any other prints its own scenes by default",
    )
    options = parser.parse_args(arguments)
    for name in options.scenes:
        if name not in SCENES:
            parser.error(f"{name} is not a scene; it takes {', '.join(SCENES)}")
    if options.out is None and not options.quick and not options.scenes:
        options.out = RESULTS
    options.scenes = options.scenes or list(SCENES)
    options.out = out.made(parser, options.out)
    return options


def _outages(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    found, wrong = [], list[str]()
    for kind in outages.KINDS:
        try:
            one = outages.play(kind, seconds=5 if options.quick else 30)
        except outages.CannotFail as error:
            say(f"    {kind}: skipped, {error}")
            continue
        found.append(one)
        wrong += [f"{kind}: {text}" for text in one.troubles]
        say(
            f"    {kind}, {one.away_s:.0f} s: {sum(one.refused.values())} new charges refused; "
            f"{one.running} were charging, {one.ended} ended meanwhile; all was written "
            f"{one.written_after_s:.1f} s later; {len(one.troubles)} do not agree"
        )
    return found, wrong


def _crowd(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    vehicles = 300 if options.quick else 9_000
    allow_files(2 * vehicles + 1_000)
    found, wrong = [], list[str]()
    for manner in crowd.MANNERS:
        one = crowd.hold(manner, vehicles)
        found.append(one)
        wrong += [f"{manner}: {text}" for text in one.troubles]
        memory = ", ".join(f"{hop} {kb} KB" for hop, kb in one.memory_kb.items())
        restarts = ", ".join(f"after {how} {s} s" for how, s in one.restarts.items())
        say(
            f"    {one.vehicles:,} {manner}: {one.charged:,} charged, {memory} each; all led again "
            f"{restarts or '-'}; longest pause {one.longest_pause_s} s, latest end "
            f"{one.latest_s} s; a list {one.list_ms} ms, a stop {one.stop_ms} ms"
        )
    return found, wrong


def _keys(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    found, wrong = {}, list[str]()
    for kind in _installed(say):
        found[kind] = one = keys.send(kind, 200 if options.quick else 10_000)
        wrong += [f"{kind}: {text}" for text in one.troubles]
        say(
            f"    {kind}: {one.keys:,} keys, {one.sessions:,} sessions, {dict(one.answers)}, "
            f"{one.taken_over} taken over, {one.kills} kills, {one.seconds:.0f} s; "
            f"{len(one.troubles)} wrong"
        )
    return found, wrong


def _reads(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    found, wrong = {}, list[str]()
    for kind in _installed(say):
        found[kind] = one = reads.read(kind, 20_000 if options.quick else 1_000_000)
        for reading in one.readings:
            say(
                f"    {kind}, {reading.name}: {reading.alone_ms} ms, under writes "
                f"{reading.under_writes_ms} ms"
            )
            slowest_ms = max(reading.alone_ms, reading.under_writes_ms)
            if slowest_ms > reading.limit_ms and not options.quick:
                wrong.append(f"{kind}: {reading.name} takes {slowest_ms} ms")
    return found, wrong


def _installed(say: Say) -> Iterator[str]:
    for kind in databases.KINDS:
        if why := databases.missing(kind):
            say(f"    {kind}: skipped, {why}")
        else:
            yield kind


def _rates(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    if why := throughput.missing():
        say(f"    skipped, {why}")
        return [], []
    found = rates.measure(
        list(_installed(say)),
        rounds=1 if options.quick else 3,
        seconds=2 if options.quick else 5,
        say=say,
    )
    wrong = [
        f"{one.ledger}, {one.manner}: {one.share:.0%} of the rate with the ledger in memory"
        for one in found
        if one.share < rates.LIMITS.get(one.ledger, 0.0) and not options.quick
    ]
    return found, wrong


def _loop(options: argparse.Namespace, say: Say) -> tuple[Any, list[str]]:
    found = {}
    seconds = 2 if options.quick else 20
    for kind in _installed(say):
        with databases.folder_of("loop") as folder, databases.empty(kind, folder) as url:
            said = subprocess.run(
                [sys.executable, "-m", "benchmarks.ledger.loop", url, str(seconds)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                check=True,
                timeout=seconds * 2 + 60,
            ).stdout
        found[kind] = one = json.loads(said.splitlines()[-1])
        say(f"    {kind}: {one}")
    return found, []


_MEANINGS = {
    "loop": "delays of the event loop with a ledger",
    "rates": "charges of no length, 32 at a time",
    "reads": "lists and single sessions of a million",
    "keys": "10,000 keys, each sent five times at once, and again after kills",
    "crowd": "9,000 vehicles at once, and restarts of the balancer",
    "outages": "the ledger fails for 30 s under load",
}
SCENES: dict[str, Scene] = {
    "loop": _loop,
    "rates": _rates,
    "reads": _reads,
    "keys": _keys,
    "crowd": _crowd,
    "outages": _outages,
}
