"""Sets up the Python environment of `make`: `VENV LOCK STAMP...`.

It is either complete or created again. Only one set-up at a time works on it, and others wait. The
stamps, files in the environment, record that the lock file's libraries are installed. Uses only the
standard library.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

# In an environment created here: whether a set-up started without finishing.
_STATE = "set-up"
_BEGUN, _WHOLE = "begun\n", "whole\n"


class SetUpError(Exception):
    """The environment cannot be set up; the message says why, unless the output did."""


class Environment:
    """A virtual environment, created by this program or provided by its user.

    Raises:
        SetUpError: from each method that changes it.
        OSError: likewise; for example the disk is full, or a directory cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._python = folder / "bin" / "python"
        self._state = folder / _STATE

    def is_current(self, lock: Path, stamps: Sequence[str]) -> bool:
        """Return whether the lock file's libraries are installed, according to the stamps."""
        files = [self.folder / stamp for stamp in stamps]
        return self._python.exists() and all(
            file.exists() and file.stat().st_mtime >= lock.stat().st_mtime for file in files
        )

    def make(self) -> None:
        """Create it if it is missing or incomplete; remove only what was created here."""
        made_here = self._state.exists()
        half_made = made_here and self._state.read_text() != _WHOLE
        if half_made or (made_here and not self._works()):
            _say(f"{self.folder} is incomplete, or its Python is gone: creating it again")
            shutil.rmtree(self.folder)
        elif made_here or self._works():
            return
        elif self.folder.exists():
            _say(f"{self.folder} has no Python with pip: setting it up again")
        if importlib.util.find_spec("ensurepip") is None:
            raise SetUpError(
                f"{sys.executable} has no ensurepip, which installs pip: install it (Debian: "
                "sudo apt-get install python3-venv), or choose another Python with "
                "`make PYTHON=/path/to/python3`"
            )
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self._state.write_text(_BEGUN)
        # In two steps, because venv hides the output of ensurepip.
        _run([sys.executable, "-m", "venv", "--without-pip", str(self.folder)])
        _run([str(self._python), "-m", "ensurepip", "--default-pip"])

    def install(self, lock: Path, stamps: Sequence[str]) -> None:
        """Install the lock file's libraries, and write the stamps."""
        made_here = self._state.exists()
        if made_here:
            self._state.write_text(_BEGUN)
        pip = [str(self._python), "-m", "pip", "install", "--quiet", "--require-hashes"]
        _run([*pip, "-r", str(lock)])
        if made_here:
            self._state.write_text(_WHOLE)
        for stamp in stamps:
            (self.folder / stamp).touch()

    def _works(self) -> bool:
        """Return whether its Python runs and has pip."""
        try:
            return not subprocess.run(  # noqa: S603 - its own Python
                [self._python, "-m", "pip", "--version"], capture_output=True, check=False
            ).returncode
        except OSError:
            return False


def main(arguments: Sequence[str]) -> int:
    """Set up the environment; return the exit status."""
    folder, lock, *stamps = arguments
    environment = Environment(Path(folder))
    try:
        with _alone(Path(f"{folder}.lock")):
            if not environment.is_current(Path(lock), stamps):
                _say(f"setting up {folder} with the libraries of {lock} (a minute or so)")
                environment.make()
                environment.install(Path(lock), stamps)
    except (OSError, SetUpError) as error:
        _say(f"{folder} could not be set up: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other set-up works on the environment."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another make holds {lock}: waiting until it has set the environment up")
            fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)
        yield


def _run(command: Sequence[str]) -> None:
    """Run a command; on failure, show its output."""
    # It inherits the lock: if this program is killed, the next set-up waits for its end.
    status = subprocess.run(  # noqa: S603 - venv, ensurepip, pip
        command, stdout=subprocess.DEVNULL, check=False, close_fds=False
    ).returncode
    if status:
        raise SetUpError(
            f"`{' '.join(command)}` ended with exit status {status}; see its output above. "
            "The next make starts again"
        )


def _say(text: str) -> None:
    sys.stderr.write(f"make: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
