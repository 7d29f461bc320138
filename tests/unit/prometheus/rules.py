"""The rules as files: recorded series, alerts, and their tests."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.support.commands import run

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "prometheus" / "prometheus.yml"
RULE_FILES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
TEST_FILES = sorted((ROOT / "prometheus" / "tests").glob("*.yml"))


class Rule(NamedTuple):
    """One rule, with its name and everything else that its file says of it."""

    name: str
    body: dict[str, Any]


def _rules(kind: str) -> list[Rule]:
    return [
        Rule(rule[kind], rule)
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


def alerts() -> list[Rule]:
    return _rules("alert")


def recordings() -> list[Rule]:
    return _rules("record")


PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian: apt-get install prometheus)"
)


def promtool(*arguments: str | Path) -> None:
    assert PROMTOOL
    # A fifth of its time went into collecting garbage.
    done = run(PROMTOOL, *arguments, env={"GOGC": "400"})
    assert done.returncode == 0, done.stdout + done.stderr
