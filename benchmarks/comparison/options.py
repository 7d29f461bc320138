"""The options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison.contenders import CONTENDERS, Contender
from benchmarks.comparison.scenes import Scene, scenes
from benchmarks.harness.options import RESULTS, Command, some_of


class Options(argparse.Namespace):
    """The parsed options."""

    quick: bool
    seed: int
    named: Sequence[str] | None  # the scenes that were asked for; None: all
    scenes: Sequence[Scene]
    contenders: Sequence[Contender]
    out: Path | None  # None: nothing is written


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    names = {slug(scene.name): scene.name for scene in scenes(quick=False)}
    contenders = {contender.key: contender for contender in CONTENDERS}
    parser = Command(
        "comparison",
        "Put this balancer and others in the same place, with the same substations and the same "
        "vehicles, and compare them.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="three scenes at half their length: under 3 minutes"
    )
    parser.add_argument(
        "--scenes",
        dest="named",
        type=some_of(names),
        metavar="A,B",
        help=f"only these of {', '.join(names)}",
    )
    parser.add_argument(
        "--contenders",
        type=some_of(contenders),
        metavar="A,B",
        help=f"only these of {', '.join(contenders)}",
    )
    parser.add_old_name("--rivals", "--contenders", some_of(contenders))
    parser.add_seed("the vehicles")
    parser.add_out(
        "the report; a whole run writes to benchmarks/results, any other writes nothing by default"
    )
    options = parser.parse_args(arguments, Options())
    in_part = options.quick or options.named or options.contenders or options.seed != 1
    options.out = parser.made(options.out or (None if in_part else RESULTS))
    drawn = scenes(quick=options.quick, seed=options.seed, every=bool(options.named))
    options.scenes = [one for one in drawn if not options.named or one.name in options.named]
    options.contenders = options.contenders or CONTENDERS
    return options


def slug(name: str) -> str:
    """Return a scene's name as it is in options and names of files."""
    return name.replace(" ", "-")
