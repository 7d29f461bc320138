"""The options of the command."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks import out
from benchmarks.comparison.contenders import CONTENDERS, Contender
from benchmarks.comparison.scenes import Scene, scenes

RESULTS = Path(__file__).resolve().parent.parent / "results"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """The parsed options."""

    quick: bool
    seed: int
    scenes: Sequence[Scene]
    contenders: Sequence[Contender]
    out: Path | None  # None: nothing is written


def parse(arguments: Sequence[str] | None) -> Options:
    """Parse the command line; an error ends the program with a message."""
    every = {_slug(scene.name): scene for scene in scenes(quick=False)}
    contenders = {contender.key: contender for contender in CONTENDERS}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description="Put this balancer and others in the same place, with the same substations and "
        "the same vehicles, and compare them.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="three scenes at half their length: under 3 minutes"
    )
    parser.add_argument("--scenes", metavar="A,B", help=f"only these of {_listed(every)}")
    parser.add_argument(
        "--rivals", dest="contenders", metavar="A,B", help=f"only these of {_listed(contenders)}"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the vehicles (default: 1)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="directory of the report; a whole run writes to benchmarks/results, any other "
        "writes nothing by default",
    )
    given = parser.parse_args(arguments)
    in_part = given.quick or given.scenes or given.contenders or given.seed != 1
    drawn = {
        _slug(scene.name): scene
        for scene in scenes(quick=given.quick, seed=given.seed, every=bool(given.scenes))
    }
    return Options(
        given.quick,
        given.seed,
        _choose(parser, "--scenes", given.scenes, drawn),
        _choose(parser, "--rivals", given.contenders, contenders),
        out.made(parser, given.out or (None if in_part else RESULTS)),
    )


def _choose(
    parser: argparse.ArgumentParser, option: str, given: str | None, known: Mapping[str, T]
) -> list[T]:
    """Return the named items in their known order; all if none is named."""
    if given is None:
        return list(known.values())
    named = {name.strip() for name in given.split(",")}
    if unknown := named - known.keys():
        parser.error(f"{option}: {_listed(sorted(unknown))} is not one of {_listed(known)}")
    return [item for name, item in known.items() if name in named]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _slug(name: str) -> str:
    return name.replace(" ", "-")
