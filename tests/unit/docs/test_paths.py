"""The files and modules that the README and docs/ name are there, and none is forgotten."""

import re
from pathlib import Path

import pytest

from local_stack.process import ROOT
from tests.docs.commands import PAGES

# A name in backticks that is a file by its ending, or a folder by its slash.
_PATH = re.compile(r"(?<![`\w])`(?=\w)([\w./-]+(?:\.(?:py|js|css|ya?ml|toml|json|md)|/))`(?!`)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# Files that a page has its reader write, or that belong to another program.
_OF_THE_READER = {
    "docker-compose.override.yml",
    "substations/substations.toml",
    "traefik.yml",
    "ev-grid.yml",
    "daemon.json",
}


def exists(path: str) -> bool:
    """Tell whether it is here, whole or as the end of a path, such as `routing/pool.py`."""
    return (ROOT / path).exists() or any(
        next((ROOT / folder.name).rglob(path), None)
        for folder in ROOT.iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = set(_PATH.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))))
    assert [path for path in sorted(named - _OF_THE_READER) if not exists(path)] == []


def test_a_file_that_is_gone_is_found() -> None:
    assert _PATH.findall("`routing/pool.py`, `docs/`, `.local_stack/`, `a.b`") == [
        "routing/pool.py",
        "docs/",
    ]
    assert exists("routing/pool.py")
    assert not exists("routing/gone.py")


@pytest.mark.parametrize(
    "service", ["charge_request_service", "load_balancer", "substation_service"]
)
def test_the_architecture_names_every_module(service: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)(?:\.py)?`", page))
    modules = {
        file.stem
        for file in (ROOT / service).rglob("*.py")
        if not file.stem.startswith("__") and not {"index", "migrations"} & {*file.parts}
    }
    assert modules - named == set()
