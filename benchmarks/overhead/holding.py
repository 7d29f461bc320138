"""Thousands of vehicles that charge for long at once, and others that arrive meanwhile."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import meter
from benchmarks.harness.errors import CannotMeasure
from benchmarks.harness.grid import load_tester, wait_for_end
from benchmarks.harness.throughput import Hops
from benchmarks.harness.timing import TimedCaller
from benchmarks.overhead.results import Held, Times
from load_tester.latency import percentile
from local_stack.process import Process
from local_stack.scrape import scrape

_SUBSTATIONS = 3
_KWH, _POINT_KW = 10.0, 50.0
_ARRIVALS_PER_S = 300.0
# Pause between two timed charges, and the maximum time of one under load, seconds.
_PROBE_PAUSE_S, _PROBE_S = 0.02, 0.05
_PROBE = b'{"kwh": 0.0001}'


def charging_s(vehicles: int, probes: int) -> float:
    """Return how long each has to charge so that all are there during the measurement, seconds."""
    return 10 + vehicles / _ARRIVALS_PER_S * 1.2 + probes * (_PROBE_PAUSE_S + _PROBE_S)


def time_scale(vehicles: int, probes: int) -> float:
    """Return the charging speed of the substations that this requires."""
    return _KWH / _POINT_KW * 3600 / charging_s(vehicles, probes)


def points(vehicles: int) -> list[int]:
    """Return the points of each substation: enough for all vehicles at once, and some others."""
    return [vehicles // _SUBSTATIONS + 50] * _SUBSTATIONS


def hold(hops: Hops, folder: Path, *, vehicles: int, probes: int) -> Held:
    """Let vehicles charge at once, and time others that arrive meanwhile.

    Args:
        hops: the running topology, with `points` and `time_scale`.
        folder: directory of the load tester's files.
        vehicles: how many.
        probes: number of charges of nearly no energy that are timed before, and again meanwhile.

    Raises:
        CannotMeasure: the load tester failed, or not all were held at once.
    """
    caller = TimedCaller(hops.entry.port)
    alone = _times(caller, probes)
    before = {name: meter.memory_bytes(processes) for name, processes in hops.parts.items()}
    result = folder / "result.json"
    tester = load_tester(
        *(hops.url, folder / "load_tester.log"),
        *("--vehicles", str(vehicles), "--rate", str(_ARRIVALS_PER_S)),
        *("--kwh", str(_KWH), "--no-decisions", "--json", str(result)),
    )
    try:
        tester.start()
        arriving: list[float] = []
        while _load(hops.substations) < vehicles and tester.running:
            arriving += _times(caller, 20)
        charging = _times(caller, probes)
        held = _load(hops.substations)
        memory = {
            name: (meter.memory_bytes(processes) - before[name]) / vehicles
            for name, processes in hops.parts.items()
        }
        wait_for_end(tester, charging_s(vehicles, probes) + 120)
    finally:
        tester.kill()
    if held < vehicles or not result.exists():
        raise CannotMeasure(f"{held} of {vehicles} were held at once:\n{tester.log_tail()}")
    came = json.loads(result.read_text(encoding="utf-8"))["vehicles"]
    return Held(
        vehicles=vehicles,
        charged=came["charged"],
        lost=came["sent"] - came["charged"],
        memory_bytes=memory,
        alone=_summed_up(alone),
        while_they_arrive=_summed_up(arriving),
        while_they_charge=_summed_up(charging),
    )


def _times(caller: TimedCaller, count: int) -> list[float]:
    """Send charges of nearly no energy one after the other; return how long each took."""
    times = []
    for _ in range(count):
        times.append(caller.send("POST", "/charge", _PROBE))
        time.sleep(_PROBE_PAUSE_S)
    return times


def _load(substations: Sequence[Process]) -> int:
    """Return how many vehicles are charging, according to the substations."""
    return sum(int(scrape(substation.url)["substation_current_load"]) for substation in substations)


def _summed_up(times: Sequence[float]) -> Times:
    ordered = sorted(times)
    return Times(percentile(ordered, 50), percentile(ordered, 99)) if ordered else Times(0, 0)
