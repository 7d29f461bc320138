"""Options that several commands have, each declared once."""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from local_stack.process import ROOT

RESULTS = ROOT / "benchmarks" / "results"
T = TypeVar("T")


class Command(argparse.ArgumentParser):
    """The parser of a command: `python -m benchmarks.NAME`."""

    def __init__(self, name: str, description: str, *, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"python -m benchmarks.{name}", description=description, epilog=epilog
        )

    def add_seed(self, of: str) -> None:
        """Add `--seed`."""
        self.add_argument("--seed", type=int, default=1, help=f"seed of {of} (default: 1)")

    def add_out(self, text: str) -> None:
        """Add `--out`; the text says what is in the directory, and which is the default."""
        self.add_argument("--out", type=Path, metavar="FOLDER", help=f"directory of {text}")

    def add_old_name(self, old: str, new: str, read: Callable[[str], object]) -> None:
        """Accept an option that is documented as `new` under its old name, too."""
        self.add_argument(
            old, dest=new.strip("-"), type=read, default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )

    def made(self, folder: Path | None) -> Path | None:
        """Create the directory of `--out` if necessary and return it; return None for None.

        If it cannot be written, the program ends with a message before the measurement starts,
        whose results would be lost.
        """
        if folder is None:
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = (error.strerror or "cannot be written").lower()
            self.error(f"--out: {folder}: {reason}; name a folder to write to")
        return folder


def some_of(known: Mapping[str, T]) -> Callable[[str], list[T]]:
    """Return a parser of comma-separated names, which returns what they name in the known order."""

    def read(text: str) -> list[T]:
        named = {name.strip() for name in text.split(",")}
        if unknown := ", ".join(map(repr, sorted(named - known.keys()))):
            raise argparse.ArgumentTypeError(f"{unknown} is not one of {', '.join(known)}")
        return [item for name, item in known.items() if name in named]

    return read
