"""The scenes of the ledger's benchmark: what each measures, tells meanwhile, and finds wrong."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from benchmarks.harness import databases, machine, throughput
from benchmarks.ledger import faults, keys, many_vehicles, outages, rates, reads
from local_stack.process import ROOT

Say = Callable[[str], object]
# The results, and the errors in words.
Played = tuple[Any, list[str]]


class _Play(Protocol):
    def __call__(self, say: Say, *, quick: bool) -> Played: ...


class Scene(NamedTuple):
    """A scene: what it measures, and how it is played (smaller or shorter if `quick`)."""

    meaning: str
    play: _Play


def _outages(say: Say, *, quick: bool) -> Played:
    found, wrong = [], list[str]()
    for kind in faults.KINDS:
        try:
            one = outages.play(kind, seconds=5 if quick else 30)
        except faults.CannotFail as error:
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


def _many_vehicles(say: Say, *, quick: bool) -> Played:
    vehicles = 300 if quick else 9_000
    machine.allow_files(2 * vehicles + 1_000)
    found, wrong = [], list[str]()
    for manner in many_vehicles.MANNERS:
        one = many_vehicles.hold(manner, vehicles)
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


def _keys(say: Say, *, quick: bool) -> Played:
    found, wrong = {}, list[str]()
    for kind in _installed(say):
        found[kind] = one = keys.send(kind, 200 if quick else 10_000)
        wrong += [f"{kind}: {text}" for text in one.troubles]
        say(
            f"    {kind}: {one.keys:,} keys, {one.sessions:,} sessions, {dict(one.answers)}, "
            f"{one.taken_over} taken over, {one.kills} kills, {one.seconds:.0f} s; "
            f"{len(one.troubles)} wrong"
        )
    return found, wrong


def _reads(say: Say, *, quick: bool) -> Played:
    found, wrong = {}, list[str]()
    for kind in _installed(say):
        found[kind] = one = reads.read(kind, 20_000 if quick else 1_000_000)
        for reading in one.readings:
            say(
                f"    {kind}, {reading.name}: {reading.alone_ms} ms, under writes "
                f"{reading.under_writes_ms} ms"
            )
            slowest_ms = max(reading.alone_ms, reading.under_writes_ms)
            if slowest_ms > reading.limit_ms and not quick:
                wrong.append(f"{kind}: {reading.name} takes {slowest_ms} ms")
    return found, wrong


def _installed(say: Say) -> Iterator[str]:
    for kind in databases.KINDS:
        if why := databases.missing(kind):
            say(f"    {kind}: skipped, {why}")
        else:
            yield kind


def _rates(say: Say, *, quick: bool) -> Played:
    if why := throughput.missing():
        say(f"    skipped, {why}")
        return [], []
    found = rates.measure(
        list(_installed(say)),
        rounds=1 if quick else 3,
        seconds=2 if quick else 5,
        say=say,
    )
    wrong = [
        f"{one.ledger}, {one.manner}: {one.share:.0%} of the rate with the ledger in memory"
        for one in found
        if one.share < rates.LIMITS.get(one.ledger, 0.0) and not quick
    ]
    return found, wrong


def _loop(say: Say, *, quick: bool) -> Played:
    found = {}
    seconds = 2 if quick else 20
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


SCENES = {
    "loop": Scene("delays of the event loop with a ledger", _loop),
    "rates": Scene("charges of no length, 32 at a time", _rates),
    "reads": Scene("lists and single sessions of a million", _reads),
    "keys": Scene("10,000 keys, each sent five times at once, and again after kills", _keys),
    "many-vehicles": Scene("9,000 vehicles at once, and restarts of the balancer", _many_vehicles),
    "outages": Scene("the ledger fails for 30 s under load", _outages),
}
