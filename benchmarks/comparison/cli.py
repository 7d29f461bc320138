"""The command: runs the benchmark, prints failed assertions, writes the report."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.comparison import picture, report
from benchmarks.comparison.assertions import findings
from benchmarks.comparison.benchmark import Benchmark
from benchmarks.comparison.options import Options, parse, slug
from benchmarks.comparison.results import Results
from benchmarks.harness import command

RESULTS_FILE, REPORT_FILE = "comparison.json", "comparison.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 after an error that does not depend on timing."""
    options = parse(arguments)
    return command.run(lambda console: _compare(options, console))


def _compare(options: Options, console: Console) -> int:
    results = Benchmark(options, console).run()
    console.print()
    for line in report.overview(results):
        console.print(line)
    broken = [finding for finding in findings(results) if not finding.kept]
    for finding in broken:
        console.print(f"does not hold: {finding.words}: {finding.evidence}")
    if options.out is not None:
        write(results, options.out)
        console.print(f"written to {options.out}")
    return any(not finding.is_timed for finding in broken)


def write(results: Results, folder: Path) -> None:
    """Write the results and everything derived from them."""
    results.save(folder / RESULTS_FILE)
    # From the file, whose numbers are rounded: so the result can be reproduced exactly.
    for name, text in drawn_from(Results.load(folder / RESULTS_FILE)).items():
        (folder / name).write_text(text, encoding="utf-8")


def drawn_from(results: Results) -> dict[str, str]:
    """Return the report and its charts, by the names of their files."""
    pictures = {f"comparison-{slug(name)}.svg": text for name, text in picture.pictures(results)}
    return {REPORT_FILE: report.write(results), **pictures}
