"""The options of the command."""

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
    """The parsed options.

    Attributes:
        kills: number of parts to kill with each ledger.
        segment: maximum number of kills in one grid.
        seed: seed of the first segment.
        rate: vehicles per second.
        ledgers: kinds of ledgers, used in turn.
        tell: whether to print each fault.
        out: directory of the report; None: nothing is written.
    """

    kills: int
    segment: int
    seed: int
    rate: float
    ledgers: tuple[str, ...]
    tell: bool
    out: Path | None


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description="Kill gateway, balancer, substations and database under load, at random and at "
        "critical moments; freeze them and cut their links. Then compare the responses to vehicles "
        "with the ledger and with every meter.",
    )
    parser.add_argument(
        "--kills",
        type=number("a number of kills", least=1, most=100_000),
        default=30.0,
        help="number of parts to kill with each ledger (default: 30); a thousand take about an "
        "hour",
    )
    parser.add_argument(
        "--segment",
        type=number("a number of kills", least=1, most=100_000),
        default=100.0,
        help="start again with a new grid and the next seed after this many kills (default: 100)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the faults and vehicles (default: 1)"
    )
    parser.add_argument(
        "--rate",
        type=number("a rate", over=0, most=100),
        default=6.0,
        help="vehicles per second (default: %(default)g)",
    )
    parser.add_argument(
        "--ledger",
        choices=LEDGERS,
        action="append",
        help="kind of the gateway's ledger; can be given twice (default: sqlite, and postgresql "
        "if it is installed)",
    )
    parser.add_argument("--tell", action="store_true", help="print each fault")
    parser.add_argument(
        "--out",
        type=Path,
        help="directory of the report, and meanwhile of the finished segments, from which an "
        "interrupted run continues (default: nothing is written)",
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
