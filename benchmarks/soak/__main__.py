"""`python -m benchmarks.soak`: runs a soak, prints the findings, writes the report."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import command
from benchmarks.soak import picture, report
from benchmarks.soak.options import Options, parse
from benchmarks.soak.results import Results, findings
from benchmarks.soak.run import Soak


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 if an assertion fails."""
    options = parse(arguments)
    return command.run(lambda console: _soak(options, console))


def _soak(options: Options, console: Console) -> int:
    results = Soak(options, console).run()
    console.print()
    every = list(findings(results))
    for one in every:
        word = {True: "holds", False: "DOES NOT HOLD", None: "not judged"}[one.kept]
        console.print(f"{word}: {one.words}: {one.evidence}")
    if options.out is not None:
        write(results, options.out)
        console.print(f"written to {options.out}")
    return any(one.kept is False for one in every)


def write(results: Results, folder: Path) -> None:
    """Write the report and its chart."""
    file = folder / report.PICTURE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(picture.draw(results), encoding="utf-8")
    (folder / "soak.md").write_text(report.write(results), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
