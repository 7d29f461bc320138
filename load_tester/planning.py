"""Makes a plan from the options, with each scenario's defaults. Pure except for reading a trace.

The defaults suit the default grid: 24 points of 50 kW with TIME_SCALE 360 deliver 120 kWh a second.
"""

from collections.abc import Callable
from functools import partial

from load_tester.demand import MIXES, WORKPLACE, Demand, PowerDemand
from load_tester.option_values import MAX_VEHICLES
from load_tester.options import Options
from load_tester.replay import plan_replay
from load_tester.scenarios import (
    Spacing,
    Streams,
    plan_callers,
    plan_rush_hour,
    plan_spike,
    plan_steady,
    plan_stress,
)
from load_tester.trace import read_trace
from load_tester.vehicle import Plan, PlanError

# Vehicles, and vehicles per second, unless given.
_DEFAULTS = {
    "steady": (100, 10.0),
    "rush-hour": (300, 15.0),
    "spike": (150, 5.0),
    "soak": (9600, 8.0),
}
_DEFAULT_CALLERS_VEHICLES = 100
_STRESS_RATE = 4.0
_STRESS_STEP_S = 10.0
_STRESS_FACTOR = 1.25
_STRESS_MOST = 200.0
DEFAULT_STRESS_DELAY_S = 5.0
_SPIKE_SHARE = 0.5


def make_plan(options: Options) -> Plan:
    """Return the plan of the run that the options describe.

    Raises:
        PlanError: the trace cannot be replayed, or the options make too many vehicles, or none.
    """
    streams = Streams.from_seed(options.seed)
    demand = _demand(options)
    spacing = Spacing(options.arrivals or Spacing.POISSON)
    match options.scenario:
        case "replay":
            return _plan_trace(options)
        case "callers":
            return plan_callers(
                vehicles=options.vehicles or _DEFAULT_CALLERS_VEHICLES,
                concurrency=options.concurrency or 1,
                demand=demand,
                streams=streams,
            )
        case "stress":
            return _plan_steps(options, spacing, demand, streams)
    plan: Callable[..., Plan] = partial(plan_steady, options.scenario)
    if options.scenario == "rush-hour":
        plan = plan_rush_hour
    elif options.scenario == "spike":
        plan = partial(plan_spike, share=_SPIKE_SHARE if options.share is None else options.share)
    vehicles, rate = _size(options)
    return plan(vehicles=vehicles, rate=rate, spacing=spacing, demand=demand, streams=streams)


def _demand(options: Options) -> Demand:
    """Return the demand, with the maximum power of the options, if given."""
    demand: Demand = WORKPLACE
    if options.kwh is not None:
        demand = options.kwh
    elif options.mix in MIXES:
        demand = MIXES[options.mix]
    if options.max_power_kw is not None:
        return PowerDemand(demand, options.max_power_kw)
    return demand


def _plan_steps(options: Options, spacing: Spacing, demand: Demand, streams: Streams) -> Plan:
    rate = options.rate or _STRESS_RATE
    most = options.max_rate or max(_STRESS_MOST, rate)
    step = options.step or _STRESS_STEP_S
    factor = options.factor or _STRESS_FACTOR
    if most < rate:
        raise PlanError(f"--max-rate {most:g}: is below the first rate, {rate:g}; give more")
    # The sum of the geometric series up to the last rate is bounded by this.
    _check_count("--max-rate, --step and --factor", most * step * factor / (factor - 1))
    plan = plan_stress(
        rate=rate,
        factor=factor,
        step=step,
        most=most,
        spacing=spacing,
        demand=demand,
        streams=streams,
    )
    last = plan.stages[-1].rate
    if options.min_rate is not None and options.min_rate > last:
        raise PlanError(
            f"--min-rate {options.min_rate:g}: is above the last step's rate, {last:g}; give at "
            "most that, or a higher --max-rate"
        )
    return plan


def _check_count(options: str, vehicles: float) -> None:
    if vehicles > MAX_VEHICLES:
        raise PlanError(
            f"{options}: make {vehicles:,.0f} vehicles; give values for at most {MAX_VEHICLES:,}"
        )


def _plan_trace(options: Options) -> Plan:
    assert options.trace is not None  # noqa: S101 - the options guarantee it
    trace = read_trace(
        options.trace,
        arrival_column=options.arrival_column,
        energy_column=options.energy_column,
        columns=options.traits,
    )
    if options.mix == "none":
        trace = trace.without_traits()
    return plan_replay(
        trace, vehicles=options.vehicles, speed=options.speed, duration=options.duration
    )


def _size(options: Options) -> tuple[int, float]:
    """Return vehicles and rate: two of vehicles, rate and duration determine the third."""
    vehicles, rate = _DEFAULTS[options.scenario]
    # The ramps and the plateau of a rush hour add up to two thirds of its time at full rate.
    fullness = 2 / 3 if options.scenario == "rush-hour" else 1.0
    if options.duration is None:
        return options.vehicles or vehicles, options.rate or rate
    if options.vehicles is not None:
        return options.vehicles, options.vehicles / options.duration / fullness
    rate = options.rate or rate
    _check_count("--rate and --duration", rate * options.duration * fullness)
    return max(1, round(rate * options.duration * fullness)), rate
