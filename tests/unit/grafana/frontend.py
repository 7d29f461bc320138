"""Asks Grafana's own frontend packages, under Node, what a browser would show."""

import json
import shutil
import subprocess
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


def ask(what: str, *requests: dict[str, Any]) -> list[Any]:
    """Ask `frontend.cjs`, which says what can be asked; return an answer to each request."""
    done = subprocess.run(
        ["node", FOLDER / "frontend.cjs"],
        input=json.dumps([{"ask": what, **request} for request in requests]),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers
