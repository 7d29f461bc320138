"""`python -m benchmarks.ledger`: plays the selected scenes, writes the report."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from benchmarks.harness import command, machine
from benchmarks.harness.results import save, to_json
from benchmarks.ledger import report
from benchmarks.ledger.options import Options, parse
from benchmarks.ledger.scenes import SCENES


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the scenes; the exit status is 1 if a session was lost or a bound exceeded."""
    options = parse(arguments)
    return command.run(lambda console: _play(options, console))


def _play(options: Options, console: Console) -> int:
    scenes, troubles = dict[str, Any](), list[str]()
    file = options.out and options.out / "ledger.json"
    if file and file.exists():
        scenes = json.loads(file.read_bytes())
    for name in options.scenes:
        console.print(f"{name}:")
        found, wrong = SCENES[name].play(console.print, quick=options.quick)
        scenes[name] = json.loads(to_json({"machine": machine.describe(), "found": found}))
        troubles += [f"{name}: {text}" for text in wrong]
        if file:
            save(file, dict(sorted(scenes.items())))
            file.with_suffix(".md").write_text(report.page(scenes), encoding="utf-8")
    console.print(f"written to {options.out}" if file else f"\n{report.page(scenes)}")
    for text in troubles:
        console.print(f"error: {text}")
    return bool(troubles)


if __name__ == "__main__":
    sys.exit(main())
