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
    "power": "most powers",
    "battery": "batteries",
    "soc": "states of charge",
}
SCENARIOS = ("steady", "rush-hour", "spike", "stress", "soak", "replay")

_DESCRIPTION = """\
Send electric vehicles to the grid, watch where they go, and check the grid's counters.

Vehicles arrive when they are due, whatever is still charging (open loop), and every time is taken
from that moment. At the end: answers by status, times, vehicles and peak load by substation, the
largest imbalance, whether each choice was the least loaded one, and what came back against the
grid's own ledger, counters and meters.
"""

_EPILOG = f"""\
scenarios (--scenario; each with defaults for the default grid):
  steady      one rate; what you get without --scenario or --trace
  rush-hour   the rate climbs to --rate, holds and falls again, a third of the time each
  spike       steady, and --share of all vehicles at once in the middle
  stress      the rate rises step by step until the service level breaks; reports where
  soak        steady for a long time; compare the windows of the report
  replay      real sessions from --trace, compressed in time

traces:
  A CSV file with a header and one session a row. Arrival (ISO 8601, dates such as 20190301, or
  seconds) is the first of the columns
    {", ".join(ARRIVAL_COLUMNS)};
  energy the first of
    {", ".join(ENERGY_COLUMNS)},
  however they are spelled, as in "Energy (Wh)". A name that ends in Wh, kWh or MWh counts that, any
  other kWh; --arrival-column and --energy-column name other columns. Rows that cannot be read, or
  whose energy is not over 0, are left out and counted. A decimal comma is read where it can be none
  between thousands.
  What a vehicle tells of itself is read where it is there: its most power (kW, or W where the name
  ends so) from {", ".join(POWER_COLUMNS)}; its battery from {", ".join(BATTERY_COLUMNS)};
  its state of charge (0 to 1, or percent) from {", ".join(SOC_COLUMNS)}.
  Without --speed, idle gaps over {GAP_LIMIT:g} times the median gap are shortened to that, and the
  speed is chosen so that the replay asks for {DEFAULT_KWH_PER_S:g} kWh a second, five sixths of
  what the default grid can deliver, or lasts for --duration; vehicles that take less than 50 kW
  count for as much more. The report says what was chosen.
  With --speed each gap stays as it was.

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
  Each is written beside its place when the run is over, and then renamed: what was there before
  stays until then. One that cannot be written takes no other along. A reader that leaves, as
  `| head -1` does, ends only what it read.

exit status:
  0  every vehicle charged (--max-lost may be lost), thresholds met, counters in order
  1  vehicles lost, a threshold missed, or counters that do not add up
  2  a wrong option or file, or a gateway that cannot be reached: nothing was sent
  3  a fault of the load tester's own
  4  as 0, but an output could not be written; 5: as 1, and so
  130 (Ctrl-C), 143 (SIGTERM)  stopped: sends no more, disconnects, reports what was done
"""


class _Parser(argparse.ArgumentParser):
    """Names a remedy with each fault."""

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
    waiting = number("a number of seconds", most=999_999_999)  # what `Prefer` takes
    positive = number("a number of seconds", over=0)
    rate = number("a rate", over=0, most=100_000)
    parser.add_argument(
        "--url",
        type=read_url,
        # As `make run` and the Compose file publish it; set but empty is not set.
        default=f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}",
        help="the gateway (default: %(default)s, or the port in GATEWAY_PORT)",
    )
    # From a file: whoever is on this machine can read command lines, and all that a program starts
    # inherits its environment.
    parser.add_argument(
        "--api-key-file",
        type=read_key,
        dest="api_key",
        metavar="FILE",
        help="file with the API key to send, where the gateway takes keys",
    )
    parser.add_argument(
        "--wait-for-gateway",
        type=seconds,
        default=0.0,
        metavar="S",
        help="longest that a gateway that is not ready yet is waited for, seconds (default: 0)",
    )
    demand = parser.add_argument_group("demand")
    demand.add_argument("--scenario", choices=SCENARIOS, help="see below")
    demand.add_argument(
        "--vehicles", type=count("a number of vehicles"), metavar="N", help="how many"
    )
    demand.add_argument(
        "--rate", type=rate, metavar="R", help="vehicles a second; at the top for rush-hour"
    )
    demand.add_argument(
        "--duration", type=positive, metavar="S", help="seconds, in place of --vehicles or --rate"
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
        help="energy a vehicle: a number, or `workplace` (default; median 7 kWh) or `fast` "
        "(median 29 kWh), drawn after real sessions",
    )
    demand.add_argument(
        "--mix",
        choices=[*MIXES, "none"],
        help="fast: unlike vehicles; energy, battery, state of charge and most power are drawn "
        "together after real sessions, and told (docs/demand.md). none: they tell their energy "
        "alone (default, but for a trace that has more)",
    )
    demand.add_argument(
        "--max-power-kw",
        type=read_powers,
        metavar="KW,KW:WEIGHT",
        help="most power that vehicles take and tell: one, or several by weight, as 11:10,50:20",
    )
    demand.add_argument(
        "--arrivals",
        choices=[spacing.value for spacing in Spacing],
        help="poisson (default): independent of each other; even: like a clock",
    )
    demand.add_argument(
        "--share",
        type=number("a share", least=0, most=1),
        metavar="P",
        help="spike: the share that comes at once (default: 0.5)",
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
        help="from one rate to the next (default: 1.25)",
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
        help="so many times as fast as it was",
    )
    for name, what in COLUMNS.items():
        trace.add_argument(f"--{name}-column", metavar="NAME", help=f"the column of {what}")
    manners = parser.add_argument_group("vehicles' manners")
    manners.add_argument(
        "--patience",
        type=seconds,
        metavar="S",
        help="seconds for which a vehicle tries again when the connection is refused or broken "
        "off, or when it is told to come back (503 or 429 with Retry-After) (default: 0, with "
        "--idempotent as --timeout)",
    )
    manners.add_argument(
        "--idempotent",
        action="store_true",
        help="each vehicle sends an Idempotency-Key of its own, its id, and tries again with the "
        "same one, also while its own earlier request is still being answered (409)",
    )
    manners.add_argument(
        "--async",
        action="store_true",
        dest="respond_async",
        help="send `Prefer: respond-async`, and ask for the state of each session that was "
        "accepted (202) until its end; the time to charge is up to that",
    )
    manners.add_argument(
        "--wait",
        type=waiting,
        metavar="S",
        help="seconds that a vehicle waits for a point, sent as `Prefer: wait=S` "
        "(default: the grid's own)",
    )
    manners.add_argument(
        "--timeout",
        type=positive,
        default=600.0,
        metavar="S",
        help="seconds after which a vehicle without an answer is lost (default: %(default)g)",
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
        "--max-p99", type=positive, metavar="S", help="p99 of the time to charge, from due"
    )
    limits.add_argument(
        "--max-p99-delay",
        type=seconds,
        metavar="S",
        help="p99 of what waiting and the grid add to charging (stress: default 5)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", type=Path, metavar="FILE", help="the report for machines; - is stdout"
    )
    output.add_argument("--report", type=Path, metavar="FILE.html", help="the report as one page")
    output.add_argument("--each", type=Path, metavar="FILE.csv", help="one row a vehicle")
    grid = parser.add_argument_group("the grid's own account")
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
        help="power of the fastest point, for the slowdown (default: as the substations' pages "
        "tell)",
    )
    grid.add_argument(
        "--time-scale",
        type=number("a time scale", over=0),
        metavar="S",
        help="how many times faster than real time vehicles charge, likewise",
    )
    grid.add_argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="do not hold the answers against the grid's ledger, counters and meters",
    )
    grid.add_argument(
        "--no-decisions",
        dest="decisions",
        action="store_false",
        help="do not read the balancer's decisions (they cost it time in a throughput run)",
    )
    return parser
