"""Writes docs/reliability.md from what the scenes of a full run recorded.

`python -m tests.e2e.faults.report FOLDER`: the folder that FAULTS_RECORD named in that run. The
text around the tables is kept by hand, in reliability.md beside this file; the table of kills is
that of the run which is checked in.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness.options import RESULTS
from benchmarks.kills.report import figures
from local_stack.process import ROOT

_TEXT = Path(__file__).with_name("reliability.md")
_REPORT = ROOT / "docs" / "reliability.md"
_KINDS = ("local", "compose")

Row = dict[str, Any]


def table(rows: Sequence[Row]) -> str:
    """Write the scenes of one kind, and their sum, as a Markdown table."""
    lines = [
        "| fault | vehicles | charged | came again | lost | charged twice | back, s |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    columns = ("tried", "charged", "came_again", "lost", "charged_twice")
    for row in rows:
        figures = " | ".join(str(row[column]) for column in columns)
        lines.append(f"| {row['title']} | {figures} | {row['back_s']:.1f} |")
    sums = " | ".join(f"**{sum(row[column] for row in rows)}**" for column in columns)
    lines.append(f"| **all {len(rows)}** | {sums} | |")
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Write the report.

    Raises:
        SystemExit: a kind of scenes was not played.
    """
    rows = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    text = _TEXT.read_text()
    for kind in _KINDS:
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            sys.exit(f"no scene of tests/e2e/faults/{kind} was played; a Docker engine is needed")
        text = text.replace(f"{{{kind}}}", table(of_kind))
    text = text.replace("{kills}", figures(json.loads((RESULTS / "kills.json").read_text())))
    _REPORT.write_text(text.replace("{day}", f"{datetime.now(UTC):%-d %B %Y}"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
