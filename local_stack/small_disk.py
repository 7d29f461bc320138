"""A small disk that can be filled up, to see what its users do then. It requires root."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CannotMount(Exception):
    """A disk cannot be mounted here; the message says why."""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Mount a disk of this size on a directory.

    Raises:
        CannotMount: it cannot be mounted here.
    """
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603 - as named
        raise CannotMount("a small disk cannot be mounted here: this requires root")
    try:
        yield
    finally:
        umount = shutil.which("umount") or "umount"
        subprocess.run([umount, "-l", str(folder)], check=True)  # noqa: S603 - likewise


def fill_up(filler: Path) -> None:
    """Write a file until its disk has no free page left."""
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4_096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
