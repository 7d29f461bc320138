"""Starts the counterpart grid and the load tester as the processes that they are."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
COUNTERPART = Path(__file__).with_name("counterpart.py")
_DEADLINE_S = 60


@dataclass(frozen=True)
class Finished:
    """A load tester that ended: its exit status, what it printed, and its JSON."""

    status: int
    output: str
    report: dict[str, Any]


StartCounterpart = Callable[..., str]
Start = Callable[..., "subprocess.Popen[str]"]
LoadTest = Callable[..., Finished]


@pytest.fixture
def counterpart() -> Iterator[StartCounterpart]:
    """Start a counterpart with settings; return its URL."""
    started: list[subprocess.Popen[str]] = []

    def start(**settings: Any) -> str:
        process = subprocess.Popen(
            [sys.executable, str(COUNTERPART), json.dumps(settings)],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the counterpart ended before it listened"
        return f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def start_load_test(counterpart: StartCounterpart) -> Start:
    """Start a load tester, by default against a counterpart with settings, and leave it running."""

    def start(*arguments: str, url: str | None = None, **settings: Any) -> "subprocess.Popen[str]":
        url = url or counterpart(**settings)
        return subprocess.Popen(
            [sys.executable, "-m", "load_tester", "--url", url, *arguments],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "140"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def load_test(tmp_path: Path, start_load_test: Start) -> LoadTest:
    """Run a load tester to its end."""

    def run(*arguments: str, **target: Any) -> Finished:
        file = tmp_path / "result.json"
        process = start_load_test("--json", str(file), *arguments, **target)
        try:
            output, _ = process.communicate(timeout=_DEADLINE_S)
        finally:
            process.kill()
        text = file.read_text() if file.exists() else ""
        return Finished(process.returncode, output, json.loads(text) if text else {})

    return run
