"""The options of a run, checked: which option goes with which scenario."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load_tester.command_line import COLUMNS, SCENARIOS, build_parser
from load_tester.demand import MIXES, Demand
from load_tester.traits import TraitColumns

STDOUT = Path("-")
_NO_STDOUT = "{} -: needs a file; name one (only --json accepts -)"
_CALLERS = "callers"  # --concurrency, which is not a scenario on the command line

# Options that only some scenarios accept, with these scenarios.
_ANY_RATE = {"steady", "rush-hour", "spike", "soak"}
_TAKEN_BY = {
    "vehicles": _ANY_RATE | {"replay", _CALLERS},
    "rate": _ANY_RATE | {"stress"},
    "duration": {"steady", "rush-hour", "soak", "replay"},
    "concurrency": {_CALLERS},
    "kwh": _ANY_RATE | {"stress", _CALLERS},
    "max_power_kw": _ANY_RATE | {"stress", _CALLERS},
    "arrivals": _ANY_RATE | {"stress"},
    "share": {"spike"},
    **{key: {"stress"} for key in ("step", "factor", "max_rate", "min_rate")},
    **{key: {"replay"} for key in ("trace", "speed")},
    **{key: {"replay"} for key in (f"{name}_column" for name in COLUMNS)},
}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked. Times in seconds; None: the scenario decides."""

    url: str
    api_key: str | None = field(repr=False)
    wait_for_gateway: float
    scenario: str  # of SCENARIOS, or "callers" for --concurrency
    vehicles: int | None
    rate: float | None
    duration: float | None
    concurrency: int | None
    kwh: Demand | None
    mix: str | None  # of MIXES, or "none"
    max_power_kw: tuple[tuple[float, float], ...] | None  # power and its weight
    arrivals: str | None  # a Spacing
    share: float | None
    step: float | None
    factor: float | None
    max_rate: float | None
    min_rate: float | None
    trace: Path | None
    speed: float | None
    arrival_column: str | None
    energy_column: str | None
    power_column: str | None
    battery_column: str | None
    soc_column: str | None
    seed: int
    idempotent: bool
    respond_async: bool
    patience: float
    wait: float | None
    timeout: float
    max_lost: int
    max_p99: float | None
    max_p99_delay: float | None
    json: Path | None
    report: Path | None
    each: Path | None
    substation_metrics: tuple[str, ...]
    point_power_kw: float | None
    time_scale: float | None
    check: bool
    decisions: bool

    @property
    def traits(self) -> TraitColumns:
        """The columns of a trace with properties of vehicles."""
        return TraitColumns(self.power_column, self.battery_column, self.soc_column)


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; an error ends the program with status 2 and a message."""
    parser = build_parser()
    found = parser.parse_args(arguments)
    scenario = _scenario(parser, found)
    values = {name: value for name, value in vars(found).items() if name != "scenario"}
    for name, scenarios in _TAKEN_BY.items():
        if values[name] is not None and scenario not in scenarios:
            parser.error(_misplaced(name, scenario, scenarios))
    mixed = found.mix in MIXES
    for is_wrong, fault in (
        (
            scenario in _ANY_RATE and None not in (found.vehicles, found.rate, found.duration),
            "--duration: follows from --vehicles and --rate; give two of the three",
        ),
        (
            None not in (found.speed, found.duration),
            "--duration: follows from --speed; give one of the two",
        ),
        (
            mixed and found.kwh is not None,
            f"--kwh: the mix {found.mix} draws energies, too; give one of the two",
        ),
        (
            mixed and scenario == "replay",
            f"--mix {found.mix}: the trace has properties of its vehicles; use none to replay "
            "only energies, or omit the option",
        ),
        (
            found.idempotent and found.patience == 0,
            "--patience 0: with --idempotent vehicles retry; give the number of seconds, or omit "
            "the option",
        ),
        (found.report == STDOUT, _NO_STDOUT.format("--report")),
        (found.each == STDOUT, _NO_STDOUT.format("--each")),
    ):
        if is_wrong:
            parser.error(fault)
    if found.patience is None:
        values["patience"] = found.timeout if found.idempotent else 0.0
    return Options(scenario=scenario, **values)


def _scenario(parser: argparse.ArgumentParser, found: argparse.Namespace) -> str:
    asked: str | None = found.scenario
    if found.concurrency is not None:
        if asked is not None:
            parser.error(f"--concurrency: is a closed loop, {asked} is not; give one of them")
        return _CALLERS
    if found.trace is not None and asked is None:
        return "replay"
    if asked == "replay" and found.trace is None:
        parser.error("--scenario replay: needs sessions to replay; give --trace FILE.csv")
    return asked or "steady"


def _misplaced(name: str, scenario: str, scenarios: set[str]) -> str:
    option = f"--{name.replace('_', '-')}"
    ways = [_way(other) for other in (*SCENARIOS, _CALLERS) if other in scenarios]
    here = "--concurrency" if scenario == _CALLERS else f"the scenario {scenario}"
    return f"{option}: {here} does not accept it; it goes with {' or '.join(ways)}"


def _way(scenario: str) -> str:
    if scenario == _CALLERS:
        return "--concurrency"
    return "--trace" if scenario == "replay" else f"--scenario {scenario}"
