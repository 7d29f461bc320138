"""The options of a run, each declared once: parser, help, defaults and checks come from here."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from load_tester.arrivals import Spacing
from load_tester.demand import MIXES, Demand
from load_tester.option_values import (
    count,
    number,
    read_demand,
    read_key,
    read_powers,
    read_url,
    read_urls,
)
from load_tester.trace_columns import COLUMNS


class Scenario(NamedTuple):
    """A scenario's help, and its numbers of vehicles and vehicles per second unless given."""

    text: str
    vehicles: int | None = None
    rate: float | None = None

    @property
    def defaults(self) -> str:
        """The defaults in words; empty without any."""
        size = "" if self.vehicles is None else f"{self.vehicles} vehicles"
        rate = "" if self.rate is None else f"{self.rate:g} a second"
        return " at ".join(part for part in (size, rate) if part)


SCENARIOS = {
    "steady": Scenario("one rate; used without a scenario", 100, 10.0),
    "rush-hour": Scenario(
        "the rate climbs to --rate, holds and falls again, a third of the time each", 300, 15.0
    ),
    "spike": Scenario("steady, and --share of all vehicles at once in the middle", 150, 5.0),
    "stress": Scenario(
        "the rate rises step by step until the service level breaks; reports where", rate=4.0
    ),
    "soak": Scenario("steady for a long time; compare the windows of the report", 9600, 8.0),
    "replay": Scenario("real sessions from --trace, compressed in time; used with --trace"),
    "callers": Scenario("a closed loop of --concurrency callers; used with --concurrency", 100),
}
STDOUT = Path("-")
STRESS_DELAY_S = 5.0  # the limit of the delay of a stress run that has none
STRESS_MAX_RATE = 200.0
_SIZED = {"steady", "rush-hour", "spike", "soak"}
_OPEN = _SIZED | {"stress"}
_DRAWN = _OPEN | {"callers"}  # the others have the vehicles of a trace


class _Kind(NamedTuple):
    """What an option takes; `choices` instead of a parser for one of a few words."""

    read: Callable[[str], object] | None = None
    metavar: str | None = None
    choices: Sequence[str] | None = None


_VEHICLES = _Kind(count("a number of vehicles"), "N")
_SECONDS = _Kind(number("a number of seconds"), "S")
_POSITIVE = _Kind(number("a number of seconds", over=0), "S")
_WAIT = _Kind(number("a number of seconds", most=999_999_999), "S")  # the limit of `Prefer`
_RATE = _Kind(number("a rate", over=0, most=100_000), "R")


class Option(NamedTuple):
    """How the command line sets a field of Options."""

    group: str  # its heading in the help
    kind: _Kind | None  # None: a flag
    text: str  # help; `{default}` is the default
    fits: Collection[str]  # the scenarios that accept it
    flag: str | None  # its name, if that is not the field's


def _default_url() -> str:
    # The port that `make run` and the Compose file publish; set but empty counts as not set.
    return f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}"


def _option(
    group: str,
    kind: _Kind | None,
    text: str,
    default: Any = None,
    *,
    fits: Collection[str] = SCENARIOS.keys(),
    flag: str | None = None,
    secret: bool = False,
) -> Any:
    """Return a field of Options that the command line sets; a default may be a function."""
    metadata = {"option": Option(group, kind, text, fits, flag)}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata, repr=not secret)


_gateway = partial(_option, "gateway")
_demand = partial(_option, "demand")
_stress = partial(_option, "stress", fits={"stress"})
_replay = partial(_option, "replay", fits={"replay"})
_vehicle = partial(_option, "behaviour of vehicles")
_limit = partial(_option, "thresholds, for exit status 1")
_output = partial(_option, "output")
_grid = partial(_option, "the grid's own data")


def _column(name: str, what: str) -> Any:
    first = ", ".join(COLUMNS[name])
    return _replay(_Kind(metavar="NAME"), f"the column of {what} (default: the first of {first})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, checked. Times in seconds; None: the scenario decides, or not set."""

    scenario: str = "steady"  # of SCENARIOS

    url: str = _gateway(
        _Kind(read_url, "URL"),
        "the gateway (default: {default}, or the port in GATEWAY_PORT)",
        _default_url,
    )
    # From a file: every user of this machine can read command lines, and child processes inherit
    # the environment.
    api_key: str | None = _gateway(
        _Kind(read_key, "FILE"),
        "file with the API key to send, if the gateway requires keys",
        flag="--api-key-file",
        secret=True,
    )
    wait_for_gateway: float = _gateway(
        _SECONDS,
        "maximum wait for a gateway that is not ready yet, seconds (default: {default:g})",
        0.0,
    )

    vehicles: int | None = _demand(
        _VEHICLES, "number of vehicles", fits=_SIZED | {"replay", "callers"}
    )
    rate: float | None = _demand(
        _RATE, "vehicles per second; for rush-hour at its peak", fits=_OPEN
    )
    duration: float | None = _demand(
        _POSITIVE,
        "seconds, instead of --vehicles or --rate",
        fits={"steady", "rush-hour", "soak", "replay"},
    )
    concurrency: int | None = _demand(
        _Kind(count("a number of callers"), "C"),
        "closed loop instead: C callers, each with one vehicle at a time (default: 1)",
        fits={"callers"},
    )
    kwh: Demand | None = _demand(
        _Kind(read_demand, "KWH"),
        "energy per vehicle: a number, or `workplace` (default; median 7 kWh) or `fast` (median "
        "29 kWh), drawn from the distribution of real sessions",
        fits=_DRAWN,
    )
    mix: str | None = _demand(
        _Kind(choices=[*MIXES, "none"]),
        "fast: different vehicles; energy, battery, state of charge and maximum power are drawn "
        "together from the distribution of real sessions, and sent (docs/demand.md). none: "
        "vehicles send only their energy (default, unless a trace has more)",
    )
    max_power_kw: tuple[tuple[float, float], ...] | None = _demand(
        _Kind(read_powers, "KW,KW:WEIGHT"),
        "maximum power that vehicles take and send: one, or several by weight, such as 11:10,50:20",
        fits=_DRAWN,
    )
    arrivals: str = _demand(
        _Kind(choices=[*Spacing]),
        "poisson (default): independent of each other; even: at equal intervals",
        Spacing.POISSON,
        fits=_OPEN,
    )
    share: float = _demand(
        _Kind(number("a share", least=0, most=1), "P"),
        "the share that arrives at once (default: {default:g})",
        0.5,
        fits={"spike"},
    )
    seed: int = _demand(
        _Kind(count("a seed", 0, 2**63), "N"),
        "the same seed gives the same vehicles (default: {default})",
        1,
    )

    step: float = _stress(_POSITIVE, "seconds at each rate (default: {default:g})", 10.0)
    factor: float = _stress(
        _Kind(number("a factor", least=1.01, most=100), "F"),
        "ratio of each rate to the one before (default: {default:g})",
        1.25,
    )
    max_rate: float | None = _stress(_RATE, f"the last rate (default: {STRESS_MAX_RATE:g})")
    min_rate: float | None = _stress(
        _RATE, "exit status 1 unless the service level holds up to this rate"
    )

    trace: Path | None = _replay(
        _Kind(Path, "FILE.csv"), "real sessions; `replay --help` describes it"
    )
    speed: float | None = _replay(
        _Kind(number("a speed", over=0, most=1e12), "S"), "speed relative to the recorded times"
    )
    arrival_column: str | None = _column("arrival", "arrivals")
    energy_column: str | None = _column("energy", "energies")
    power_column: str | None = _column("power", "maximum powers")
    battery_column: str | None = _column("battery", "batteries")
    soc_column: str | None = _column("soc", "states of charge")

    patience: float = _vehicle(
        _SECONDS,
        "seconds for which a vehicle retries if the connection is refused or broken, or if it is "
        "told to retry (503 or 429 with Retry-After) (default: 0; with --idempotent the same as "
        "--timeout)",
        0.0,
    )
    idempotent: bool = _vehicle(
        None,
        "each vehicle sends its ID as its Idempotency-Key, and retries with the same key, also "
        "while its own earlier request is still in progress (409)",
        False,
    )
    respond_async: bool = _vehicle(
        None,
        "send `Prefer: respond-async`, and query the state of each accepted session (202) until "
        "its end, which also ends the time to charge",
        False,
        flag="--async",
    )
    wait: float | None = _vehicle(
        _WAIT,
        "seconds that a vehicle waits for a point, sent as `Prefer: wait=S` (default: the grid's "
        "default)",
    )
    timeout: float = _vehicle(
        _POSITIVE,
        "seconds after which a vehicle without a response is lost (default: {default:g})",
        600.0,
    )

    max_lost: int = _limit(
        _Kind(count("a number of vehicles", 0), "N"),
        "vehicles that may be lost (default: {default})",
        0,
    )
    max_p99: float | None = _limit(_POSITIVE, "p99 of the time to charge, seconds")
    max_p99_delay: float | None = _limit(
        _SECONDS,
        "p99 of the time that waiting and the grid add to charging, seconds (stress: default "
        f"{STRESS_DELAY_S:g})",
    )

    json: Path | None = _output(_Kind(Path, "FILE"), "the report as JSON; - is stdout")
    report: Path | None = _output(_Kind(Path, "FILE.html"), "the report as a page")
    each: Path | None = _output(_Kind(Path, "FILE.csv"), "one row per vehicle")

    substation_metrics: tuple[str, ...] = _grid(
        _Kind(read_urls, "URL,URL"),
        "the substations' metrics pages (default: /metrics at the addresses in /substations)",
        (),
    )
    point_power_kw: float | None = _grid(
        _Kind(number("a power", over=0, most=10_000), "KW"),
        "power of the fastest point, for the slowdown (default: from the substations' pages)",
    )
    time_scale: float | None = _grid(
        _Kind(number("a time scale", over=0), "S"),
        "charging speed relative to real time (default: from the substations' pages)",
    )
    check: bool = _grid(
        None,
        "do not compare the responses with the grid's ledger, counters and meters",
        True,
        flag="--no-check",
    )
    decisions: bool = _grid(
        None,
        "do not read the balancer's decisions, which costs the balancer time in a throughput run",
        True,
        flag="--no-decisions",
    )

    @property
    def columns(self) -> dict[str, str | None]:
        """The columns of a trace that are named, by the keys of COLUMNS."""
        return {name: getattr(self, f"{name}_column") for name in COLUMNS}
