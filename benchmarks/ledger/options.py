"""The options of the command."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.options import RESULTS, Command
from benchmarks.ledger.scenes import SCENES


class Options(argparse.Namespace):
    """The parsed options."""

    scenes: Sequence[str]
    quick: bool
    out: Path | None  # None: the report is printed


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    parser = Command(
        "ledger",
        "Measure the gateway's session ledger, on SQLite and, if it is installed, on PostgreSQL, "
        "and make it fail under load.",
        epilog="Scenes: "
        + "; ".join(f"{name}: {scene.meaning}" for name, scene in SCENES.items())
        + ".",
    )
    parser.add_argument(
        "scenes", nargs="*", metavar="SCENE", help=f"{', '.join(SCENES)}; none: all of them"
    )
    parser.add_argument("--quick", action="store_true", help="everything smaller or shorter")
    parser.add_out(
        "the report, in which other scenes are kept; a whole run writes to benchmarks/results, any "
        "other prints its own scenes by default"
    )
    options = parser.parse_args(arguments, Options())
    for name in options.scenes:
        if name not in SCENES:
            parser.error(f"{name} is not a scene; it takes {', '.join(SCENES)}")
    is_whole = not options.quick and not options.scenes
    options.out = parser.made(options.out or (RESULTS if is_whole else None))
    options.scenes = options.scenes or list(SCENES)
    return options
