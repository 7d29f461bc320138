"""`make mutants`: change the code a little at a time, and see which changes no unit test notices.

Exits with 1 where fewer than 95% of the changes are noticed, of those that are not equivalent.
Which modules are changed and which tests run is in pyproject.toml, what is equivalent and why in
equivalents.toml. What stands outside functions (constants, fields of models) is not changed.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tests.mutants import score, workspace

_BAR = 95.0
_NICENESS = 10
# How long mutmut may take to stop, seconds.
_TO_END_S = 60


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Measure which changes the unit tests notice."
    )
    parser.add_argument(
        "names", nargs="*", help="change these alone, such as 'load_balancer.pool*'; else all"
    )
    parser.add_argument("--processes", type=int, default=2, help="at once (default: 2)")
    parser.add_argument("--minutes", type=float, default=90, help="at most (default: 90)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--again", action="store_true", help="only those that were alive or not tried the last time"
    )
    how.add_argument(
        "--report", action="store_true", help="only show what came of it the last time"
    )
    return parser.parse_args(arguments)


def run(folder: Path, names: Sequence[str], *, processes: int, minutes: float) -> None:
    """Have mutmut change the code and run the tests, for as long as it may.

    Raises:
        SystemExit: it failed.
    """
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    log = folder / "mutmut.log"
    with log.open("wb") as sink:
        # Its progress is a line that it writes over and over: of use at a terminal alone.
        output = None if sys.stdout.isatty() else sink
        running = subprocess.Popen(
            ["nice", "-n", str(_NICENESS), mutmut, "run", "--max-children", str(processes), *names],
            cwd=folder,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    status = 0
    try:
        status = running.wait(minutes * 60)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        running.send_signal(signal.SIGINT)  # it writes down what it has found
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(_TO_END_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # those that it forked too
        running.wait()
    if status:
        raise SystemExit(f"mutmut ended with status {status}; {log} tells more, if it was written")


def main(arguments: Sequence[str]) -> int:
    """Make the changes, and show what came of them. Returns the exit status."""
    options = parse(arguments)
    patterns = workspace.modules()
    equivalents = score.Equivalents(score.EQUIVALENTS.read_text())
    folder = workspace.FOLDER
    if not options.report:
        workspace.make(anew=not options.again)
        names = options.names
        if options.again:
            before = score.read(folder, patterns)
            names = [one.name for one in before if not one.noticed and _is_of(one.name, names)]
        run(folder, names, processes=options.processes, minutes=options.minutes)
    mutants = [one for one in score.read(folder, patterns) if _is_of(one.name, options.names)]
    result = score.score(folder, mutants, equivalents, whole=not options.names)
    print(result.text())
    return 0 if result.total.score >= _BAR and not result.unmet else 1


def _is_of(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
