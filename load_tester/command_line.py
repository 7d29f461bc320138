"""The command line: every option with its unit, default and meaning, declared once."""

import argparse
import difflib
import os
import re
from pathlib import Path
from typing import NoReturn

from load_tester.demand import MIXES
from load_tester.option_values import (
    count,
    number,
    read_demand,
    read_key,
    read_powers,
    read_url,
    read_urls,
)
from load_tester.replay import DEFAULT_KWH_PER_S, GAP_LIMIT
from load_tester.scenarios import Spacing
from load_tester.trace import ARRIVAL_COLUMNS, ENERGY_COLUMNS
from load_tester.traits import BATTERY_COLUMNS, POWER_COLUMNS, SOC_COLUMNS

COLUMNS = {  # of a trace
    "arrival": "arrivals",
    "energy": "energies",
    "power": "maximum powers",
    "battery": "batteries",
    "soc": "states of charge",
}
SCENARIOS = ("steady", "rush-hour", "spike", "stress", "soak", "replay")

_DESCRIPTION = """\
Send electric vehicles to the grid, watch where they go, and check the grid's counters.

Vehicles arrive when they are due, whatever is still charging (open loop), and every time is
measured from then. The report has responses by status, times, vehicles and peak load by
substation, the largest imbalance, whether each choice was the least loaded substation, and a
comparison of the responses with the grid's own ledger, counters and meters.
"""

_EPILOG = f"""\
scenarios (--scenario; each with defaults for the default grid):
  steady      one rate; the default without --scenario and --trace
  rush-hour   the rate climbs to --rate, holds and falls again, a third of the time each
  spike       steady, and --share of all vehicles at once in the middle
  stress      the rate rises step by step until the service level breaks; reports where
  soak        steady for a long time; compare the windows of the report
  replay      real sessions from --trace, compressed in time

traces:
  A CSV file with a header and one session per row. The arrival (ISO 8601, dates such as 20190301,
  or seconds) is the first of the columns
    {", ".join(ARRIVAL_COLUMNS)};
  the energy the first of
    {", ".join(ENERGY_COLUMNS)},
  in any spelling, such as "Energy (Wh)". A name that ends in Wh, kWh or MWh states the unit; the
  default is kWh. --arrival-column and --energy-column name other columns. Rows that cannot be read,
  or whose energy is not over 0, are skipped and counted. A decimal comma is accepted if it cannot
  be a thousands separator.
  Properties of vehicles are read if they exist: the maximum power (kW, or W if the name ends so)
  from {", ".join(POWER_COLUMNS)}; the battery from {", ".join(BATTERY_COLUMNS)};
  the state of charge (0 to 1, or percent) from {", ".join(SOC_COLUMNS)}.
  Without --speed, idle gaps over {GAP_LIMIT:g} times the median gap are shortened to that, and the
  speed is chosen so that the replay requests {DEFAULT_KWH_PER_S:g} kWh a second, five sixths of
  what the default grid can deliver, or lasts for --duration. Vehicles that take less than 50 kW
  count more, in proportion. The report says what was chosen.
  With --speed each gap is kept.

examples:
  python -m load_tester                                   100 vehicles at 10 a second
  python -m load_tester --scenario rush-hour --report rush-hour.html
  python -m load_tester --vehicles 200 --rate 20 --kwh 10
  python -m load_tester --scenario spike --vehicles 100 --share 1 --kwh 10
                                                          100 vehicles at once
  python -m load_tester --trace sessions.csv --vehicles 300
  python -m load_tester --scenario stress --max-p99-delay 2
  python -m load_tester --idempotent --async --vehicles 300
                                                          sessions that outlive their requests
  python -m load_tester --concurrency 32 --vehicles 5000 --kwh 0.001 --no-decisions
                                                          throughput

outputs:
  Each is written to a temporary file when the run is over, and then renamed: the old file stays
  until then. If one cannot be written, the others still are. A reader that leaves, as `| head -1`
  does, ends only its own output.

exit status:
  0  every vehicle charged (--max-lost may be lost), thresholds met, counters in order
  1  vehicles lost, a threshold missed, or counters that do not add up
  2  a wrong option or file, or a gateway that cannot be reached: nothing was sent
  3  an error in the load tester itself
  4  as 0, but an output could not be written; 5: as 1, and an output could not be written
  130 (Ctrl-C), 143 (SIGTERM)  stopped: sends no more, disconnects, reports what was done
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose error messages name a remedy."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        if unknown:
            known = [name for name in self._option_string_actions if name.startswith("--")]
            near = difflib.get_close_matches(unknown[1], known, n=1)
            message += f"; did you mean {near[0]}?" if near else ""
        self.exit(2, f"load_tester: {message}\nSee `python -m load_tester --help`.\n")


def build_parser() -> argparse.ArgumentParser:
    """Declare every option once, with its unit and default."""
    parser = _Parser(
        prog="python -m load_tester",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    seconds = number("a number of seconds")
    waiting = number("a number of seconds", most=999_999_999)  # the limit of `Prefer`
    positive = number("a number of seconds", over=0)
    rate = number("a rate", over=0, most=100_000)
    parser.add_argument(
        "--url",
        type=read_url,
        # The port that `make run` and the Compose file publish; set but empty counts as not set.
        default=f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}",
        help="the gateway (default: %(default)s, or the port in GATEWAY_PORT)",
    )
    # From a file: every user of this machine can read command lines, and child processes inherit
    # the environment.
    parser.add_argument(
        "--api-key-file",
        type=read_key,
        dest="api_key",
        metavar="FILE",
        help="file with the API key to send, if the gateway requires keys",
    )
    parser.add_argument(
        "--wait-for-gateway",
        type=seconds,
        default=0.0,
        metavar="S",
        help="maximum wait for a gateway that is not ready yet, seconds (default: 0)",
    )
    demand = parser.add_argument_group("demand")
    demand.add_argument("--scenario", choices=SCENARIOS, help="see below")
    demand.add_argument(
        "--vehicles", type=count("a number of vehicles"), metavar="N", help="number of vehicles"
    )
    demand.add_argument(
        "--rate", type=rate, metavar="R", help="vehicles per second; for rush-hour at its peak"
    )
    demand.add_argument(
        "--duration", type=positive, metavar="S", help="seconds, instead of --vehicles or --rate"
    )
    demand.add_argument(
        "--concurrency",
        type=count("a number of callers"),
        metavar="C",
        help="closed loop instead: C callers, each with one vehicle at a time",
    )
    demand.add_argument(
        "--kwh",
        type=read_demand,
        metavar="KWH",
        help="energy per vehicle: a number, or `workplace` (default; median 7 kWh) or `fast` "
        "(median 29 kWh), drawn from the distribution of real sessions",
    )
    demand.add_argument(
        "--mix",
        choices=[*MIXES, "none"],
        help="fast: different vehicles; energy, battery, state of charge and maximum power are "
        "drawn together from the distribution of real sessions, and sent (docs/demand.md). none: "
        "vehicles send only their energy (default, unless a trace has more)",
    )
    demand.add_argument(
        "--max-power-kw",
        type=read_powers,
        metavar="KW,KW:WEIGHT",
        help="maximum power that vehicles take and send: one, or several by weight, such as "
        "11:10,50:20",
    )
    demand.add_argument(
        "--arrivals",
        choices=[spacing.value for spacing in Spacing],
        help="poisson (default): independent of each other; even: at equal intervals",
    )
    demand.add_argument(
        "--share",
        type=number("a share", least=0, most=1),
        metavar="P",
        help="spike: the share that arrives at once (default: 0.5)",
    )
    demand.add_argument(
        "--seed",
        type=count("a seed", 0, 2**63),
        default=1,
        metavar="N",
        help="the same seed gives the same vehicles (default: %(default)s)",
    )
    stress = parser.add_argument_group("stress")
    stress.add_argument(
        "--step", type=positive, metavar="S", help="seconds at each rate (default: 10)"
    )
    stress.add_argument(
        "--factor",
        type=number("a factor", least=1.01, most=100),
        metavar="F",
        help="ratio of each rate to the one before (default: 1.25)",
    )
    stress.add_argument("--max-rate", type=rate, metavar="R", help="the last rate (default: 200)")
    stress.add_argument(
        "--min-rate",
        type=rate,
        metavar="R",
        help="exit status 1 unless the service level holds up to this rate",
    )
    trace = parser.add_argument_group("replay")
    trace.add_argument("--trace", type=Path, metavar="FILE.csv", help="real sessions; see below")
    trace.add_argument(
        "--speed",
        type=number("a speed", over=0, most=1e12),
        metavar="S",
        help="speed relative to the recorded times",
    )
    for name, what in COLUMNS.items():
        trace.add_argument(f"--{name}-column", metavar="NAME", help=f"the column of {what}")
    behaviour = parser.add_argument_group("behaviour of vehicles")
    behaviour.add_argument(
        "--patience",
        type=seconds,
        metavar="S",
        help="seconds for which a vehicle retries if the connection is refused or broken, or if "
        "it is told to retry (503 or 429 with Retry-After) (default: 0; with --idempotent the "
        "same as --timeout)",
    )
    behaviour.add_argument(
        "--idempotent",
        action="store_true",
        help="each vehicle sends its ID as its Idempotency-Key, and retries with the same key, "
        "also while its own earlier request is still in progress (409)",
    )
    behaviour.add_argument(
        "--async",
        action="store_true",
        dest="respond_async",
        help="send `Prefer: respond-async`, and query the state of each accepted session (202) "
        "until its end, which also ends the time to charge",
    )
    behaviour.add_argument(
        "--wait",
        type=waiting,
        metavar="S",
        help="seconds that a vehicle waits for a point, sent as `Prefer: wait=S` "
        "(default: the grid's default)",
    )
    behaviour.add_argument(
        "--timeout",
        type=positive,
        default=600.0,
        metavar="S",
        help="seconds after which a vehicle without a response is lost (default: %(default)g)",
    )
    limits = parser.add_argument_group("thresholds, for exit status 1")
    limits.add_argument(
        "--max-lost",
        type=count("a number of vehicles", 0),
        default=0,
        metavar="N",
        help="vehicles that may be lost (default: 0)",
    )
    limits.add_argument(
        "--max-p99", type=positive, metavar="S", help="p99 of the time to charge, seconds"
    )
    limits.add_argument(
        "--max-p99-delay",
        type=seconds,
        metavar="S",
        help="p99 of the time that waiting and the grid add to charging, seconds (stress: default "
        "5)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", type=Path, metavar="FILE", help="the report as JSON; - is stdout")
    output.add_argument("--report", type=Path, metavar="FILE.html", help="the report as a page")
    output.add_argument("--each", type=Path, metavar="FILE.csv", help="one row per vehicle")
    grid = parser.add_argument_group("the grid's own data")
    grid.add_argument(
        "--site-metrics",
        dest="substation_metrics",
        type=read_urls,
        default=(),
        metavar="URL,URL",
        help="the substations' metrics pages (default: /metrics at the addresses in /substations)",
    )
    grid.add_argument(
        "--point-power-kw",
        type=number("a power", over=0, most=10_000),
        metavar="KW",
        help="power of the fastest point, for the slowdown (default: from the substations' pages)",
    )
    grid.add_argument(
        "--time-scale",
        type=number("a time scale", over=0),
        metavar="S",
        help="charging speed relative to real time (default: from the substations' pages)",
    )
    grid.add_argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="do not compare the responses with the grid's ledger, counters and meters",
    )
    grid.add_argument(
        "--no-decisions",
        dest="decisions",
        action="store_false",
        help="do not read the balancer's decisions, which costs the balancer time in a throughput "
        "run",
    )
    return parser
