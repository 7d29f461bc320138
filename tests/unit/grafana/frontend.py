"""Returns what a browser would show, from Grafana's own frontend packages under Node."""

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).with_name("node")


def _missing() -> str | None:
    if shutil.which("node") is None:
        return "Node is not installed"
    if not (FOLDER / "node_modules" / "@grafana" / "data").exists():
        where = FOLDER.relative_to(Path.cwd()) if FOLDER.is_relative_to(Path.cwd()) else FOLDER
        return f"Grafana's packages are not installed (npm ci --ignore-scripts --prefix {where})"
    return None


needs_frontend = pytest.mark.skipif(bool(_missing()), reason=_missing() or "")


class _Frontend:
    """The one `frontend.cjs` of this process: its packages take Node half a second to load."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - for as long as it runs
        self._popen = subprocess.Popen(
            ["node", FOLDER / "frontend.cjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def ask(self, requests: list[dict[str, Any]]) -> list[Any]:
        assert self._popen.stdin
        assert self._popen.stdout
        self._popen.stdin.write(json.dumps(requests) + "\n")
        self._popen.stdin.flush()
        line = self._popen.stdout.readline()
        if not line:
            _frontend.cache_clear()
            self._said.seek(0)
            pytest.fail(self._said.read())
        answers: list[Any] = json.loads(line)
        return answers


_frontend = cache(_Frontend)


def ask(what: str, *requests: dict[str, Any]) -> list[Any]:
    """Ask `frontend.cjs`, which says what can be asked; return an answer to each request."""
    return _frontend().ask([{"ask": what, **request} for request in requests])
