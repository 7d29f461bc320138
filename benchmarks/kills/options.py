"""The options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import databases
from benchmarks.harness.options import Command
from load_tester.option_values import count, number


class Options(argparse.Namespace):
    """The parsed options."""

    kills: int
    segment: int
    seed: int
    rate: float
    ledgers: Sequence[str]
    tell: bool
    out: Path | None  # None: nothing is written


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    parser = Command(
        "kills",
        "Kill gateway, balancer, substations and database under load, at random and at critical "
        "moments; freeze them and cut their links. Then compare the responses to vehicles with "
        "the ledger and with every meter.",
    )
    parser.add_argument(
        "--kills",
        type=count("a number of kills", most=100_000),
        default=30,
        help="number of parts to kill with each ledger (default: %(default)s); a thousand take "
        "about an hour",
    )
    parser.add_argument(
        "--segment",
        type=count("a number of kills", most=100_000),
        default=100,
        help="start again with a new grid and the next seed after this many kills "
        "(default: %(default)s)",
    )
    parser.add_seed("the faults and vehicles")
    parser.add_argument(
        "--rate",
        type=number("a rate", over=0, most=100),
        default=6.0,
        help="vehicles per second (default: %(default)g)",
    )
    parser.add_argument(
        "--ledger",
        choices=databases.KINDS,
        action="append",
        dest="ledgers",
        help="kind of the gateway's ledger; can be given twice (default: sqlite, and postgresql "
        "if it is installed)",
    )
    parser.add_argument("--tell", action="store_true", help="print each fault")
    parser.add_out(
        "the report, and meanwhile of the finished segments, from which an interrupted run "
        "continues (default: nothing is written)"
    )
    options = parser.parse_args(arguments, Options())
    why = databases.missing(databases.POSTGRESQL)
    options.ledgers = options.ledgers or (databases.KINDS[:1] if why else databases.KINDS)
    if databases.POSTGRESQL in options.ledgers and why:
        parser.error(f"--ledger postgresql: {why}")
    options.ledgers = list(dict.fromkeys(options.ledgers))
    options.out = parser.made(options.out)
    return options
