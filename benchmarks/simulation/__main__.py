"""Writes the report of the simulation, or compares it with the checked-in one."""

import difflib
import sys
from pathlib import Path

from benchmarks.harness.options import Command
from benchmarks.simulation import report
from benchmarks.simulation.assertions import ASSERTIONS

REPORT = Path(__file__).with_name("report.md")


def main(arguments: list[str] | None = None) -> int:
    """Run all scenes; the exit status is 1 if the report differs or an assertion fails."""
    parser = Command(
        "simulation",
        f"Run the routing core through its scenes and write {REPORT.name}.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"write nothing; show how {REPORT.name} differs, with exit status 1 if it does",
    )
    options = parser.parse_args(arguments)
    results = report.play_all()
    now = report.write(results)
    broken = [assertion.words for assertion in ASSERTIONS if not assertion.is_kept(results)]
    for words in broken:
        print(f"failed: {words}", file=sys.stderr)
    before = REPORT.read_text(encoding="utf-8") if REPORT.exists() else ""
    if not options.check:
        REPORT.write_text(now, encoding="utf-8")
        print(f"{REPORT.name} {'is unchanged' if now == before else 'has changed'}")
        return bool(broken)
    sys.stdout.writelines(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            now.splitlines(keepends=True),
            f"{REPORT.name} as checked in",
            f"{REPORT.name} now",
        )
    )
    return now != before or bool(broken)


if __name__ == "__main__":
    sys.exit(main())
