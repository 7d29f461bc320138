"""A terminal in a separate checkout, which runs the commands that the docs print."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local_stack.process import ROOT
from tests.docs.commands import Command

_NOT_OF_A_CHECKOUT = (
    *(".git", ".venv*", ".local_stack", "__pycache__", ".*_cache", ".hypothesis", ".env"),
    *("api_keys.txt", "load_tester_key.txt"),
)
_PROBLEM = "urn:ev-grid:problem:"
_LISTENED_TO_S = 3


class Terminal:
    """Runs commands one after the other, each with what was exported before.

    Attributes:
        words: what the pages show, such as a host or a session, and what it is here.
        exported: what `export` commands set.
    """

    def __init__(self, checkout: Path, environment: Mapping[str, str]) -> None:
        self.checkout = checkout
        self.words: dict[str, str] = {}
        self.exported: dict[str, str] = {}
        # What this run itself has from `make` is not for those that it starts.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        self._environment = {**kept, **environment}

    @property
    def environment(self) -> dict[str, str]:
        return {**self._environment, **self.exported}

    def translated(self, text: str) -> str:
        for shown, here in self.words.items():
            text = text.replace(shown, here)
        return text

    def run(self, command: Command, timeout_s: float = 180) -> str:
        """Run a command to its end, and hold it to status 0 and to what the page shows."""
        text = self.translated(command.text)
        if text.startswith("export "):
            self.exported |= dict(word.split("=", 1) for word in shlex.split(text)[1:])
            return ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        said = f"{_where(command)}: {text}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        assert done.returncode == 0, said
        if text.startswith("curl"):
            _holds(command, done.stdout)
        return done.stdout + done.stderr

    def listen(self, command: Command) -> None:
        """Run a command that ends with Ctrl-C alone; hold it to saying something until then."""
        process = self.start(self.translated(command.text), self.checkout / "listened")
        time.sleep(_LISTENED_TO_S)
        said = (self.checkout / "listened").read_text()
        assert process.poll() is None, f"{_where(command)}: it ended: {said}"
        assert said, f"{_where(command)}: it says nothing"
        stop(process)

    def start(self, text: str, output: Path) -> "subprocess.Popen[bytes]":
        """Start a command in a process group of its own, as a terminal does."""
        with output.open("wb") as file:
            return subprocess.Popen(
                ["bash", "-c", text],
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Press Ctrl-C, and wait until it has ended."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(30)


def make_checkout(folder: Path) -> Path:
    """Copy this checkout, with the environment of the tests in the place of its own."""
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*_NOT_OF_A_CHECKOUT))
    (checkout / ".venv").symlink_to(sys.prefix)
    for lock in checkout.glob("requirements*.txt"):
        os.utime(lock, (0, 0))  # it is set up already
    return checkout


def _where(command: Command) -> str:
    return f"{command.page}, line {command.line}"


def _holds(command: Command, answer: str) -> None:
    """Hold an answer to having the fields that the page shows, or to being no problem."""
    document = json.loads(answer)
    if command.answer:
        assert set(document) == set(json.loads(command.answer)), f"{_where(command)}: {answer}"
    else:
        assert not re.search(_PROBLEM, answer[:200]), f"{_where(command)}: {answer}"
