"""API keys for tests, made with the project's own command, as a reader of its docs makes them."""

import subprocess
import sys
from pathlib import Path

from local_stack.process import ROOT


def add_key(file: Path, name: str, *options: str) -> str:
    """Make a key, append its line to a file of keys, and return it."""
    with file.open("ab") as lines:
        made = subprocess.run(
            [sys.executable, "-m", "charge_request_service.keys", *options, name],
            cwd=ROOT,
            stdout=lines,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    (key,) = (word for word in made.stderr.split() if word.startswith("evgrid_"))
    return key
