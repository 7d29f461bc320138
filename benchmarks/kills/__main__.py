"""`python -m benchmarks.kills`: runs segment after segment, prints and writes what was found."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.harness import command
from benchmarks.harness.results import save, write_whole
from benchmarks.kills import evidence, report
from benchmarks.kills.options import Options, parse
from benchmarks.kills.run import Results, Run
from benchmarks.kills.segments import Segment, Segments, agrees, next_segment

# After this many failed segments the run ends; the next run continues.
_MAX_FAILURES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status is 1 if anything is lost, charged twice or different."""
    options = parse(arguments)
    return command.run(lambda console: _run_all(options, console))


def _run_all(options: Options, console: Console) -> int:
    try:
        segments = Segments(options.out and options.out / "kills.part.json")
    except (OSError, ValueError) as error:
        console.print(f"error: {options.out}/kills.part.json: {error}")
        return 2
    if segments.done:
        console.print(f"continuing after {len(segments.done)} segments")
    failures = 0
    while failures < _MAX_FAILURES and (segment := next_segment(segments.done, options)):
        console.print(f"{segment.ledger}, seed {segment.seed}: {segment.kills} kills")
        document = _run(segment, options, console)
        segments.add(document)
        if not agrees(document):
            failures += 1
            if options.out is None:
                break  # a single segment is not called one of many
    if next_segment(segments.done, options) is None:
        _finish(options, segments, console)
    return 1 if failures else 0


def _run(segment: Segment, options: Options, console: Console) -> dict[str, object]:
    """Run a segment and return its document; keep its directory if it failed."""
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir="/tmp"))
    folder.chmod(0o755)  # for PostgreSQL, which runs as another user
    try:
        results = Run(segment, options, folder, console).run()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    document = report.document(results)
    console.print(report.sentence(document))
    if results.troubles:
        _print_troubles(results, folder, console)
    else:
        shutil.rmtree(folder)
    return document


def _print_troubles(results: Results, folder: Path, console: Console) -> None:
    for line in report.trouble_lines(results.troubles):
        console.print(line)
    for line in evidence.log_lines(folder, list(results.reconciliation.sessions)):
        console.print(line)
    console.print(f"logs, ledger, journals and all responses: {folder}")


def _finish(options: Options, segments: Segments, console: Console) -> None:
    runs = report.summed(segments.done)
    for one in runs["ledgers"].values():
        console.print(report.sentence(one))
    if options.out is not None:
        save(options.out / "kills.json", runs)
        write_whole(options.out / "kills.md", report.page(runs))
        segments.finish()
        console.print(f"written to {options.out}/kills.md and kills.json")


if __name__ == "__main__":
    sys.exit(main())
