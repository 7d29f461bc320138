"""The options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.options import RESULTS, Command, some_of
from benchmarks.overhead.topologies import TOPOLOGIES, Topology


class Options(argparse.Namespace):
    """The parsed options.

    Attributes:
        quick: whether everything is shorter.
        topologies: the topologies to measure.
        many: whether only the choice and many substations are measured.
        rounds: number of rounds in which rows take turns.
        out: directory of the report; None: it is printed.
    """

    quick: bool
    topologies: Sequence[Topology]
    many: bool
    rounds: int
    out: Path | None

    @property
    def seconds(self) -> int:
        """Length of a measurement, seconds."""
        return 2 if self.quick else 5

    @property
    def vehicles(self) -> Sequence[int]:
        """How many are held at once."""
        return (300,) if self.quick else (1_000, 5_000, 9_000)

    @property
    def probes(self) -> int:
        """Number of timed charges beside them."""
        return 100 if self.quick else 400


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    topologies = {topology.key: topology for topology in TOPOLOGIES}
    parser = Command(
        "overhead",
        "Measure the cost of the balancer's choice, and of a charge, hop by hop, also with HAProxy "
        "or the simple proxy in the balancer's place; then hold thousands of vehicles at once.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one short round, and 300 vehicles held"
    )
    parser.add_argument(
        "--topologies",
        type=some_of(topologies),
        default=list(TOPOLOGIES),
        metavar="A,B",
        help=f"only these of {', '.join(topologies)}",
    )
    parser.add_old_name("--ways", "--topologies", some_of(topologies))
    parser.add_argument(
        "--many",
        action="store_true",
        help="only the choice, and many substations; the rest of a report is kept",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        choices=range(1, 10),
        default=3,
        help="rounds in which the topologies, or the numbers of substations, take turns "
        "(default: 3)",
    )
    parser.add_out(
        "the report; a whole run writes to benchmarks/results, any other prints it by default"
    )
    options = parser.parse_args(arguments, Options())
    is_whole = not options.quick and options.topologies == list(TOPOLOGIES)
    options.out = parser.made(options.out or (RESULTS if is_whole else None))
    options.rounds = 1 if options.quick else options.rounds
    return options
