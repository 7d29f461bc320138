"""`make mutants`: change the code a little at a time, and see which changes no unit test notices.

What was found is kept, so that a run goes on where the one before was cut off, and tries again only
functions that have changed since: the score is that of the code as it is. Tests that have changed
are not looked at: `--anew` tries all again. Exits with 1 where fewer than 95% of the changes are
noticed, of those that are not equivalent; what was not tried is not noticed.

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
        "names",
        nargs="*",
        help="try these, though tried before: 'load_balancer.routing.pool*'; else all not tried "
        "yet",
    )
    parser.add_argument("--processes", type=int, default=2, help="at once (default: 2)")
    parser.add_argument("--minutes", type=float, default=90, help="at most (default: 90)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--again", action="store_true", help="try those that are alive, or were not tried yet"
    )
    how.add_argument("--anew", action="store_true", help="forget what earlier runs found")
    how.add_argument("--report", action="store_true", help="only show what earlier runs found")
    return parser.parse_args(arguments)


def run(folder: Path, names: Sequence[str], *, processes: int, minutes: float) -> None:
    """Have mutmut change the code and run the tests, for as long as it may.

    Raises:
        SystemExit: it failed.
    """
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    log = folder / workspace.LOG
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
    equivalents = score.Equivalents(score.EQUIVALENTS.read_text())
    folder = workspace.FOLDER
    if not options.report:
        workspace.make(anew=options.anew)
        names = options.names
        if options.again:
            before = score.read(folder, workspace.modules())
            names = [one.name for one in before if not one.noticed and _is_of(one.name, names)]
        run(folder, names, processes=options.processes, minutes=options.minutes)
    found = score.read(folder, workspace.modules(), is_current=workspace.is_current)
    mutants = [one for one in found if _is_of(one.name, options.names)]
    if not mutants:
        raise SystemExit("nothing was tried yet")
    result = score.score(folder, mutants, equivalents, whole=not options.names)
    print(result.text())
    return 0 if result.total.score >= _BAR and not result.unmet else 1


def _is_of(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
