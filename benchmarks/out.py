"""The folder that a measurement writes its results to."""

import argparse
import tempfile
from pathlib import Path


def made(parser: argparse.ArgumentParser, folder: Path | None) -> Path | None:
    """Return a folder, made where it is missing; None, which is nothing to write, as it is.

    One that cannot be written ends the program with a message before the measurement begins: its
    results would be lost with it.
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
