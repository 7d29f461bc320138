"""Runs the power scenes and writes their report, or compares them with the checked-in results."""

import sys
import time
from pathlib import Path

from benchmarks.harness.options import Command
from benchmarks.simulation.power import report
from benchmarks.simulation.power.assertions import ASSERTIONS
from benchmarks.simulation.power.runs import Results, play_all

FOLDER = Path(__file__).resolve().parent.parent
REPORT = FOLDER / "power.md"
RUNS = FOLDER / "power.json"


def main(arguments: list[str] | None = None) -> int:
    """Run all; the exit status is 1 if an assertion fails or, with --check, a run differs."""
    parser = Command(
        "simulation.power",
        f"Run the routing core through the power scenes; write {RUNS.name} and "
        f"{REPORT.name}. Takes some 25 minutes on two CPUs.",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; print the runs that differ"
    )
    parser.add_argument(
        "--report", action="store_true", help=f"run nothing; write {REPORT.name} from {RUNS.name}"
    )
    options = parser.parse_args(arguments)
    began = time.monotonic()

    def tell(done: int, of: int) -> None:
        if done % 25 == 0 or done == of:
            print(f"{done} of {of} runs, {time.monotonic() - began:.0f} s", file=sys.stderr)

    results = Results.load(RUNS) if options.report else play_all(options.jobs, tell)
    missed = [one for one in ASSERTIONS if not one.is_kept(results)]
    for one in missed:
        print(f"missed: {one.words}: {one.figure(results):.4f}, limit {one.limit:g}")
    if options.check:
        differ = differences(Results.load(RUNS), results)
        print("\n".join(differ) or f"all runs are as in {RUNS.name}")
        return bool(differ or missed)
    if not options.report:
        results.save(RUNS)
    REPORT.write_text(report.write(Results.load(RUNS)), encoding="utf-8")
    return bool(missed)


def differences(before: Results, now: Results) -> list[str]:
    """Return the runs with different results."""
    return [
        f"{scene}, {name}, draw {number}: was {before.figures[scene][name][number - 1]}, is {one}"
        for scene, played in now.figures.items()
        for name, runs in played.items()
        for number, one in enumerate(runs, start=1)
        if one != before.figures[scene][name][number - 1]
    ]


if __name__ == "__main__":
    sys.exit(main())
