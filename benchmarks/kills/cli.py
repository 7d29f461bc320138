"""The command: runs it, says what does not agree, writes the report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import interruption
from benchmarks.kills import report
from benchmarks.kills.options import parse
from benchmarks.kills.run import Run
from local_stack.process import StartError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 where something is lost, twice or does not agree."""
    options = parse(arguments)
    console = Console(highlight=False, soft_wrap=True)
    interruption.raise_when_told()
    try:
        results = Run(options, console).run()
    except KeyboardInterrupt:
        console.print(interruption.WORDS)
        return interruption.STATUS
    except (StartError, RuntimeError) as error:
        console.print(f"error: {error}", markup=False)
        return 1
    found = results.reckoning
    for text in report.troubles(results):
        console.print(text, markup=False)
    console.print(
        f"{results.kills} kills in {results.seconds:.0f} s: {found.vehicles} vehicles, "
        f"{found.charged} charged, {found.stopped} stopped by their callers, {len(found.lost)} "
        f"lost, {len(found.twice)} twice, {len(found.unequal)} unequal, {len(found.strange)} "
        f"strange; {len(found.excess)} with too much at a cut link",
        markup=False,
    )
    if options.out is not None:
        write(report.document(results), options.out)
        console.print(f"written to {options.out}", markup=False)
    return 0 if found.agrees and found.vehicles else 1


def write(document: dict[str, Any], folder: Path) -> None:
    """Put a run beside the other ledger's in kills.json, and write kills.md anew."""
    file = folder / "kills.json"
    runs = json.loads(file.read_text()) if file.exists() else {}
    runs[document["ledger"]] = document
    file.write_text(json.dumps(dict(sorted(runs.items())), indent=2) + "\n", encoding="utf-8")
    page = report.page([runs[name] for name in sorted(runs)])
    (folder / "kills.md").write_text(page, encoding="utf-8")
