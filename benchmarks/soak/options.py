"""The options of the command."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import out
from load_tester.option_values import number
from local_stack.process import ROOT

DEFAULT_MINUTES = 20.0
DEFAULT_LOAD = 0.8
DEFAULT_EVERY_S = 15.0
DOCS = ROOT / "docs"


@dataclass(frozen=True, slots=True)
class Options:
    """The parsed options. `load` is a share of the grid's capacity (0 to 1)."""

    minutes: float
    load: float
    every_s: float
    seed: int
    out: Path | None  # None: nothing is written


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Charge vehicles for a long time while parts of the grid die, freeze, restart "
        "and lose their connections; check memory, open files and the grid's counters.",
    )
    parser.add_argument(
        "--minutes",
        type=number("a number of minutes", least=0.5, most=24 * 60),
        default=DEFAULT_MINUTES,
        help="how long vehicles arrive (default: %(default)g)",
    )
    parser.add_argument(
        "--load",
        type=number("a share", least=0.01, most=1),
        default=DEFAULT_LOAD,
        help="requested share of the grid's capacity (default: %(default)g)",
    )
    parser.add_argument(
        "--every",
        type=number("a number of seconds", least=5, most=3600),
        default=DEFAULT_EVERY_S,
        metavar="S",
        dest="every_s",
        help="seconds between faults (default: %(default)g)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the faults and vehicles (default: 1)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="directory of soak.md and its chart; a run of at least "
        f"{DEFAULT_MINUTES:g} minutes with all other defaults writes to docs, any other writes "
        "nothing by default",
    )
    given = parser.parse_args(arguments)
    whole = (
        given.minutes >= DEFAULT_MINUTES
        and given.load == DEFAULT_LOAD
        and given.every_s == DEFAULT_EVERY_S
    )
    return Options(
        given.minutes,
        given.load,
        given.every_s,
        given.seed,
        out.made(parser, given.out or (DOCS if whole else None)),
    )
