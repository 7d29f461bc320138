"""Programs that run to their end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local_stack.process import ROOT


def run(
    *command: str | Path, env: Mapping[str, str] | None = None, within_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository, whatever its exit status.

    Args:
        command: program and arguments.
        env: variables on top of the test's own.
        within_s: maximum time, seconds.
    """
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def run_module(
    module: str,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    within_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a module as `python -m` does, as `run` runs a command."""
    return run(sys.executable, "-m", module, *arguments, env=env, within_s=within_s)
