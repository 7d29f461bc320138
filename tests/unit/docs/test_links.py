"""Every link of the README, docs/ and the reports leads to a file and a heading that are there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.process import ROOT
from tests.docs.commands import PAGES

_REPORTS = tuple(sorted((ROOT / "benchmarks").rglob("*.md")))
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """List the anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def broken(page: Path) -> Iterator[str]:
    """List the links of a page that lead nowhere in this repository."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in anchors(file):
            yield f"{target}: no such heading"


@pytest.mark.parametrize("page", [*PAGES, *_REPORTS], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_a_link_to_a_heading_that_is_gone_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\n## GET, PUT /power-limit\n\n[here](#get-put-power-limit) [gone](#gone)"
        " [file](no.md) [out](https://example.org/#x)\n"
    )
    assert list(broken(page)) == ["#gone: no such heading", "no.md: no such file"]
