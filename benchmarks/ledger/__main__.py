"""`python -m benchmarks.ledger`: plays the selected scenes, writes the report."""

import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks.harness import command, machine
from benchmarks.ledger import report
from benchmarks.ledger.options import Options, parse
from benchmarks.ledger.results import Results
from benchmarks.ledger.scenes import SCENES


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the scenes; the exit status is 1 if a session was lost or a bound exceeded."""
    options = parse(arguments)
    return command.run(lambda console: _play(options, console))


def _play(options: Options, console: Console) -> int:
    results, troubles = Results(options.out), list[str]()
    for name in options.scenes:
        console.print(f"{name}:")
        found, wrong = SCENES[name].play(console.print, quick=options.quick)
        results.add(name, machine.describe(), found)
        troubles += [f"{name}: {text}" for text in wrong]
        if options.out is not None:
            page = report.page(results.scenes)
            (options.out / "ledger.md").write_text(page, encoding="utf-8")
    if options.out is None:
        console.print(f"\n{report.page(results.scenes)}")
    else:
        console.print(f"written to {options.out}")
    for text in troubles:
        console.print(f"error: {text}")
    return bool(troubles)


if __name__ == "__main__":
    sys.exit(main())
