"""Plans the vehicles of each scenario from the options. Pure except for reading a trace.

The defaults suit the default grid: 24 points of 50 kW with TIME_SCALE 360 deliver 120 kWh a second.
"""

from collections.abc import Sequence
from typing import Any

from load_tester.arrivals import RateCurve, Spacing, Streams, arrivals
from load_tester.demand import MIXES, WORKPLACE, Demand, PowerDemand
from load_tester.option_values import MAX_VEHICLES
from load_tester.options import SCENARIOS, STRESS_MAX_RATE, Options
from load_tester.replay import plan_replay
from load_tester.trace import read_trace
from load_tester.vehicle import Plan, PlanError, Stage, Vehicle

# The ramps and the plateau of a rush hour add up to two thirds of its time at full rate.
_RUSH_HOUR_FULLNESS = 2 / 3


def make_plan(options: Options) -> Plan:
    """Return the plan of the run that the options describe.

    Raises:
        PlanError: the trace cannot be replayed, or the options make too many vehicles, or none.
    """
    return _PLANNERS[options.scenario](_Draw(options), options)


class _Draw:
    """Draws vehicles as the options describe them."""

    def __init__(self, options: Options) -> None:
        self._scenario = options.scenario
        self._spacing = Spacing(options.arrivals)
        self._streams = Streams.from_seed(options.seed)
        self._demand: Demand = WORKPLACE
        if options.kwh is not None:
            self._demand = options.kwh
        elif options.mix in MIXES:
            self._demand = MIXES[options.mix]
        if options.max_power_kw is not None:
            self._demand = PowerDemand(self._demand, options.max_power_kw)

    def moments(self, count: int, *knots: tuple[float, float]) -> list[float]:
        """Return `count` arrival times that follow a rate curve with these knots."""
        return arrivals(RateCurve(knots), count, self._spacing, self._streams.arrivals)

    def steady(self, count: int, rate: float) -> list[float]:
        """Return `count` arrival times at a constant rate."""
        return self.moments(count, (0.0, rate), (count / rate, rate)) if count else []

    def plan(self, summary: str, moments: Sequence[float], **more: Any) -> Plan:
        """Return a plan of vehicles that are due at these times."""
        vehicles = tuple(
            Vehicle(number, moment, *self._demand.draw(self._streams.energies))
            for number, moment in enumerate(moments, start=1)
        )
        return Plan(self._scenario, f"{summary}, {self._demand}", vehicles, **more)


def _plan_steady(draw: _Draw, options: Options) -> Plan:
    """Plan a constant rate: `steady`, and `soak` for a long time."""
    vehicles, rate = _size(options)
    summary = f"{vehicles:,} vehicles at {rate:g} a second for {_seconds(vehicles / rate)}"
    return draw.plan(summary, draw.steady(vehicles, rate))


def _plan_rush_hour(draw: _Draw, options: Options) -> Plan:
    """Plan a rate that climbs from 0 to the rate, holds and falls, a third of the time each."""
    vehicles, rate = _size(options, _RUSH_HOUR_FULLNESS)
    duration = 1.5 * vehicles / rate
    third = duration / 3
    knots = ((0.0, 0.0), (third, rate), (2 * third, rate), (duration, 0.0))
    summary = (
        f"{vehicles:,} vehicles in {_seconds(duration)}, climbing to {rate:g} a second and "
        "falling again"
    )
    return draw.plan(summary, draw.moments(vehicles, *knots))


def _plan_spike(draw: _Draw, options: Options) -> Plan:
    """Plan steady arrivals with a share of all vehicles at once in the middle."""
    vehicles, rate = _size(options)
    at_once = round(vehicles * options.share)
    steady = vehicles - at_once
    middle = round(steady / rate / 2, 6)
    around = f", {steady:,} around them at {rate:g} a second" if steady else ""
    moments = sorted([*draw.steady(steady, rate), *[middle] * at_once])
    return draw.plan(f"{at_once:,} vehicles at once{around}", moments)


def _plan_stress(draw: _Draw, options: Options) -> Plan:
    """Plan steps, each with a multiple of the rate before, up to a maximum."""
    _, rate = _size(options)
    step, factor = options.step, options.factor
    most = options.max_rate or max(STRESS_MAX_RATE, rate)
    if most < rate:
        raise PlanError(f"--max-rate {most:g}: is below the first rate, {rate:g}; give more")
    # The sum of the geometric series up to the last rate is bounded by this.
    _check_count("--max-rate, --step and --factor", most * step * factor / (factor - 1))
    stages: list[Stage] = []
    moments: list[float] = []
    while rate <= most * (1 + 1e-9):
        start = len(stages) * step
        due = draw.moments(max(1, round(rate * step)), (0.0, rate), (step, rate))
        moments.extend(start + moment for moment in due)
        stages.append(Stage(f"{rate:.3g}/s", start, start + step, rate))
        rate *= factor
    first, last = stages[0].rate, stages[-1].rate
    if options.min_rate is not None and options.min_rate > last:
        raise PlanError(
            f"--min-rate {options.min_rate:g}: is above the last step's rate, {last:g}; give at "
            "most that, or a higher --max-rate"
        )
    summary = (
        f"from {first:g} to at most {last:.3g} vehicles a second in "
        f"{len(stages)} steps of {_seconds(step)}"
    )
    return draw.plan(summary, moments, stages=tuple(stages))


def _plan_callers(draw: _Draw, options: Options) -> Plan:
    """Plan a closed loop: each caller sends its next vehicle when its last one is done."""
    vehicles, _ = _size(options)
    concurrency = options.concurrency or 1
    note = (
        "closed loop: a caller waits for its answer before it sends again, so a slow grid is "
        "asked for less; use --rate to see its queue"
    )
    summary = f"{vehicles:,} vehicles from {concurrency:,} callers"
    return draw.plan(summary, [0.0] * vehicles, notes=(note,), concurrency=concurrency)


def _plan_replay(_: _Draw, options: Options) -> Plan:
    assert options.trace is not None  # noqa: S101 - the options guarantee it
    trace = read_trace(options.trace, options.columns)
    if options.mix == "none":
        trace = trace.without_properties()
    return plan_replay(
        trace, vehicles=options.vehicles, speed=options.speed, duration=options.duration
    )


_PLANNERS = {
    "steady": _plan_steady,
    "rush-hour": _plan_rush_hour,
    "spike": _plan_spike,
    "stress": _plan_stress,
    "soak": _plan_steady,
    "replay": _plan_replay,
    "callers": _plan_callers,
}


def _size(options: Options, fullness: float = 1.0) -> tuple[int, float]:
    """Return vehicles and rate: two of vehicles, rate and duration determine the third.

    `fullness` is the mean rate over the maximum rate.
    """
    scenario = SCENARIOS[options.scenario]
    rate = options.rate or scenario.rate or 0.0
    if options.duration is None:
        return options.vehicles or scenario.vehicles or 0, rate
    if options.vehicles is not None:
        return options.vehicles, options.vehicles / options.duration / fullness
    _check_count("--rate and --duration", rate * options.duration * fullness)
    return max(1, round(rate * options.duration * fullness)), rate


def _check_count(options: str, vehicles: float) -> None:
    if vehicles > MAX_VEHICLES:
        raise PlanError(
            f"{options}: make {vehicles:,.0f} vehicles; give values for at most {MAX_VEHICLES:,}"
        )


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.3g} s"
