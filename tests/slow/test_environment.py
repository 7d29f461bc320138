"""`make` sets its Python environment up whole, once, or says why not."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from local_stack.process import ROOT

# Makes files over 64 KiB impossible, as a full disk does; pip itself is larger.
_NO_ROOM = "ulimit -f 64; "


class Checkout:
    """A fresh checkout of what sets up, with one small library of its own to install."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        (folder / "local_stack").mkdir()
        for name in ("Makefile", "local_stack/environment.py"):
            shutil.copy(ROOT / name, folder / name)
        self.lock("1.0")

    def lock(self, version: str) -> None:
        """Have the lock file ask for a version of the library."""
        wheel = self.folder / f"demo-{version}-py3-none-any.whl"
        about = f"demo-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr("demo.py", f"version = {version!r}\n")
            file.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n"
            )
            file.writestr(
                f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            file.writestr(f"{about}/RECORD", f"demo.py,,\n{about}/RECORD,,\n")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        text = f"demo @ {wheel.as_uri()} --hash=sha256:{digest}\n"
        for name in ("requirements.txt", "requirements-dev.txt"):
            (self.folder / name).write_text(text)

    def start(
        self, *options: str, before: str = "", stamp: str = "runtime"
    ) -> "subprocess.Popen[str]":
        command = f"{before}exec make PYTHON={sys.executable} {' '.join(options)} .venv/{stamp}"
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        )

    def make(self, *options: str, before: str = "", fails: bool = False) -> str:
        """Run make to its end; return what it said."""
        process = self.start(*options, before=before)
        said, _ = process.communicate(timeout=100)
        assert (process.returncode != 0) is fails, said
        return said

    def works(self, version: str = "1.0") -> None:
        asked = [str(self.venv / "bin" / "python"), "-c", "import demo; print(demo.version)"]
        assert subprocess.check_output(asked, text=True).strip() == version


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_is_set_up_once_and_again_when_the_lock_changes(checkout: Checkout) -> None:
    assert "setting up .venv" in checkout.make()
    checkout.works()
    assert checkout.make() == "make: '.venv/runtime' is up to date.\n"

    checkout.lock("2.0")
    checkout.make()
    checkout.works("2.0")
    assert checkout.make() == "make: '.venv/runtime' is up to date.\n"


def test_two_at_once_in_a_fresh_checkout_set_up_one_environment(checkout: Checkout) -> None:
    both = [checkout.start(), checkout.start(stamp="dev")]

    said = [process.communicate(timeout=100)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert sum("another make holds .venv.lock" in one for one in said) == 1, said
    checkout.works()


def test_a_full_disk_is_reported_each_time_and_then_mended(checkout: Checkout) -> None:
    for _ in range(2):
        said = checkout.make(before=_NO_ROOM, fails=True)
        assert "File too large" in said
        assert ".venv could not be set up" in said

    assert ".venv is incomplete" in checkout.make()
    checkout.works()


def test_libraries_that_could_not_be_installed_are_reported_and_then_mended(
    checkout: Checkout,
) -> None:
    wheel = next(checkout.folder.glob("*.whl"))
    wheel.rename(checkout.folder / "elsewhere")
    said = checkout.make(fails=True)
    assert wheel.name in said
    assert "see its output above. The next make starts again" in said

    (checkout.folder / "elsewhere").rename(wheel)
    checkout.make()
    checkout.works()


def test_a_set_up_that_was_killed_is_made_again(checkout: Checkout) -> None:
    process = checkout.start()
    assert process.stdout
    assert "setting up" in process.stdout.readline()
    while not (checkout.venv / "bin" / "python").exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=100)
    assert not (checkout.venv / "runtime").exists()

    assert ".venv is incomplete" in checkout.make()
    checkout.works()


def test_a_python_without_ensurepip_is_named_and_leaves_nothing(checkout: Checkout) -> None:
    python = checkout.folder / "python-without-ensurepip"
    # Debian's, without python3-venv.
    python.write_text(
        f'#!/bin/sh\n[ "$1" != -c ] || exec {sys.executable} "$@"\n'
        f'exec {sys.executable} -c \'import sys, runpy; sys.modules["ensurepip"] = None; '
        'sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")\' "$@"\n'
    )
    python.chmod(0o755)

    for _ in range(2):
        said = checkout.make(f"PYTHON={python}", fails=True)
        assert "has no ensurepip" in said
        assert "python3-venv" in said
        assert not checkout.venv.exists()

    checkout.make()
    checkout.works()


def test_an_environment_without_pip_is_given_it_and_keeps_what_it_has(checkout: Checkout) -> None:
    venv.create(checkout.venv, with_pip=False, symlinks=True)
    (checkout.venv / "kept").touch()

    assert ".venv has no Python with pip: setting it up again" in checkout.make()

    checkout.works()
    assert (checkout.venv / "kept").exists()


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.make()
    python = checkout.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")

    assert "its Python is gone" in checkout.make()

    checkout.works()


def test_an_old_python_is_named(checkout: Checkout) -> None:
    python = checkout.folder / "python3.10"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    assert "Python 3.11 or newer is needed" in checkout.make(f"PYTHON={python}", fails=True)
