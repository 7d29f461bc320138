"""What the command can be told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import out
from load_tester.option_values import number
from local_stack.process import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Options:
    """A run as asked for. `rate` is vehicles a second."""

    kills: int
    seed: int
    rate: float
    postgresql: bool
    tell: bool
    out: Path | None  # None: nothing is written


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
        default=40.0,
        help="parts to kill (default: 40); a thousand takes about an hour",
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
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="where the gateway keeps its sessions (default: sqlite)",
    )
    parser.add_argument("--tell", action="store_true", help="tell of each fault")
    parser.add_argument("--out", type=Path, help="folder for the report (default: none is written)")
    options = parser.parse_args(arguments)
    return Options(
        round(options.kills),
        options.seed,
        options.rate,
        options.ledger == "postgresql",
        options.tell,
        out.made(parser, options.out),
    )
