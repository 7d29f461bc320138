"""What the command can be told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import out
from load_tester.option_values import number
from local_stack.postgresql import find_programs
from local_stack.process import ROOT

RESULTS = ROOT / "benchmarks" / "results"
LEDGERS = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Options:
    """A run as asked for.

    Attributes:
        kills: parts to kill with each ledger.
        segment: the most that are killed in one grid.
        seed: of the first segment.
        rate: vehicles a second.
        ledgers: where the gateway keeps its sessions, in turns.
        tell: whether to tell of each fault.
        out: folder for the report; None: nothing is written.
    """

    kills: int
    segment: int
    seed: int
    rate: float
    ledgers: tuple[str, ...]
    tell: bool
    out: Path | None


def parse(arguments: Sequence[str] | None) -> Options:
    """Read the command line; one that cannot be read ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description="Kill gateway, balancer, substations and database under load, at random and at "
        "the moments that do most harm; freeze them and cut their links. Then compare what "
        "vehicles were told with the ledger and with every meter.",
    )
    parser.add_argument(
        "--kills",
        type=number("a number of kills", least=1, most=100_000),
        default=30.0,
        help="parts to kill with each ledger (default: 30); a thousand take about an hour",
    )
    parser.add_argument(
        "--segment",
        type=number("a number of kills", least=1, most=100_000),
        default=100.0,
        help="begin again with a new grid and the next seed after so many kills (default: 100)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="draw other faults and vehicles (default: 1)"
    )
    parser.add_argument(
        "--rate",
        type=number("a rate", over=0, most=100),
        default=6.0,
        help="vehicles a second (default: %(default)g)",
    )
    parser.add_argument(
        "--ledger",
        choices=LEDGERS,
        action="append",
        help="where the gateway keeps its sessions; can be given twice (default: sqlite, and "
        "postgresql where it is installed)",
    )
    parser.add_argument("--tell", action="store_true", help="tell of each fault")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the report, and until that is written for what is done, with which an "
        "interrupted run goes on (default: none is written)",
    )
    options = parser.parse_args(arguments)
    there = find_programs() is not None
    ledgers = options.ledger or (LEDGERS if there else LEDGERS[:1])
    if "postgresql" in ledgers and not there:
        parser.error("--ledger postgresql: PostgreSQL is not installed")
    return Options(
        round(options.kills),
        round(options.segment),
        options.seed,
        options.rate,
        tuple(dict.fromkeys(ledgers)),
        options.tell,
        out.made(parser, options.out),
    )
