"""The command: runs the benchmark, prints failed assertions, writes the report."""

import signal
from collections.abc import Sequence
from pathlib import Path

import gevent
from rich.console import Console

from benchmarks import interruption
from benchmarks.comparison import picture, report
from benchmarks.comparison.assertions import findings
from benchmarks.comparison.benchmark import Benchmark
from benchmarks.comparison.options import parse
from benchmarks.comparison.results import Results, load
from local_stack.process import StartError

RESULTS_FILE, REPORT_FILE = "comparison.json", "comparison.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 after an error that does not depend on timing."""
    options = parse(arguments)
    console = Console(highlight=False)
    _interrupt_cleanly()
    try:
        results = Benchmark(options, console).run()
    except KeyboardInterrupt:
        console.print(interruption.WORDS)
        return interruption.STATUS
    except (StartError, RuntimeError) as error:
        console.print(f"error: {error}", markup=False)
        return 1
    console.print()
    for line in report.overview(results):
        console.print(line, markup=False, soft_wrap=True)
    broken = [finding for finding in findings(results) if not finding.kept]
    for finding in broken:
        console.print(f"does not hold: {finding.words}: {finding.evidence}", markup=False)
    if options.out is not None:
        write(results, options.out)
        console.print(f"written to {options.out}", markup=False)
    return int(any(not finding.is_timed for finding in broken))


def _interrupt_cleanly() -> None:
    """Raise KeyboardInterrupt here on Ctrl-C and SIGTERM, once, whatever greenlet is running.

    Python would raise it in any greenlet, such as a vehicle's. A second signal would interrupt the
    shutdown of the processes.
    """
    here = gevent.getcurrent()
    reported = False

    def interrupt() -> None:
        nonlocal reported
        if not reported:
            reported = True
            gevent.get_hub().loop.run_callback(here.throw, KeyboardInterrupt())

    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, interrupt)


def write(results: Results, folder: Path) -> None:
    """Write the results and everything derived from them."""
    results.save(folder / RESULTS_FILE)
    # From the file, whose numbers are rounded: so the result can be reproduced exactly.
    for name, text in drawn_from(load(folder / RESULTS_FILE)).items():
        (folder / name).write_text(text, encoding="utf-8")


def drawn_from(results: Results) -> dict[str, str]:
    """Return the report and its charts, by the names of their files."""
    pictures = {
        f"comparison-{name.replace(' ', '-')}.svg": text for name, text in picture.pictures(results)
    }
    return {REPORT_FILE: report.write(results), **pictures}
