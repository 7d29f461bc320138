"""`python -m benchmarks.overhead`: measures, writes the report."""

import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks.harness import command
from benchmarks.overhead import choice, report
from benchmarks.overhead.measurement import Measurement
from benchmarks.overhead.options import Options, parse
from benchmarks.overhead.results import Results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit status is 1 if a vehicle was lost or a choice costs too much."""
    options = parse(arguments)
    return command.run(lambda console: _measure(options, console))


def _measure(options: Options, console: Console) -> int:
    results = Measurement(options, console).run()
    if options.out is None:
        console.print("\n" + report.write(results))
    else:
        results.save(options.out / "overhead.json")
        text = report.write(Results.load(options.out / "overhead.json"))
        (options.out / "overhead.md").write_text(text, encoding="utf-8")
        console.print(f"written to {options.out}")
    slow = [one for one in results.choices if choice.exceeds_limit(one)]
    for one in slow:
        console.print(f"error: a choice among {one.substations} costs {one.median_us} µs")
    return bool(slow) or any(one.lost for topology in results.topologies for one in topology.held)


if __name__ == "__main__":
    sys.exit(main())
