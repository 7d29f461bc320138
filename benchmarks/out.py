"""The directory that a measurement writes its results to."""

import argparse
import tempfile
from pathlib import Path


def made(parser: argparse.ArgumentParser, folder: Path | None) -> Path | None:
    """Create the directory if necessary and return it; return None for None.

    If it cannot be written, the program ends with a message before the measurement starts, whose
    results would be lost.
    """
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        parser.error(f"--out: {folder}: {reason}; name a folder to write to")
    return folder
