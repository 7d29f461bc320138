"""The options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.options import Command
from load_tester.option_values import number
from local_stack.process import ROOT

DOCS = ROOT / "docs"
_MINUTES, _LOAD, _EVERY_S = 20.0, 0.8, 15.0


class Options(argparse.Namespace):
    """The parsed options. `load` is a share of the grid's capacity (0 to 1)."""

    minutes: float
    load: float
    every_s: float
    seed: int
    out: Path | None  # None: nothing is written


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    parser = Command(
        "soak",
        "Charge vehicles for a long time while parts of the grid die, freeze, restart and lose "
        "their connections; check memory, open files and the grid's counters.",
    )
    parser.add_argument(
        "--minutes",
        type=number("a number of minutes", least=0.5, most=24 * 60),
        default=_MINUTES,
        help="how long vehicles arrive (default: %(default)g)",
    )
    parser.add_argument(
        "--load",
        type=number("a share", least=0.01, most=1),
        default=_LOAD,
        help="requested share of the grid's capacity (default: %(default)g)",
    )
    parser.add_argument(
        "--every",
        type=number("a number of seconds", least=5, most=3600),
        default=_EVERY_S,
        metavar="S",
        dest="every_s",
        help="seconds between faults (default: %(default)g)",
    )
    parser.add_seed("the faults and vehicles")
    parser.add_out(
        f"soak.md and its chart; a run of at least {_MINUTES:g} minutes with all other defaults "
        "writes to docs, any other writes nothing by default"
    )
    options = parser.parse_args(arguments, Options())
    is_whole = (options.load, options.every_s) == (_LOAD, _EVERY_S)
    is_whole = is_whole and options.minutes >= _MINUTES
    options.out = parser.made(options.out or (DOCS if is_whole else None))
    return options
