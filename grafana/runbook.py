"""The runbook as a dashboard, so that alerts can link to their sections."""

import re
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import text
from grafana_foundation_sdk.models import text as t

from grafana.dashboard import base

UID = "ev-grid-runbook"
_FILE = Path(__file__).parents[1] / "docs" / "runbook.md"
_WIDTH = 12
# Capacity of a panel of half a page: characters per line, lines per row of the grid.
_LETTERS, _LINES = 90, 1.4


def section_url(number: object) -> str:
    """Return the URL of a section: only the panel with its number."""
    return f"/d/{UID}?viewPanel=panel-{number}"


def numbers() -> dict[str, int]:
    """Return the numbers of the sections, by the names of their alerts."""
    return {name: number for number, name in enumerate(_sections(), start=1)}


def dashboard() -> dashboards.Dashboard:
    """Build the dashboard: one panel per section, with the section's number as its ID."""
    built = base(UID, "Runbook", "What each alert means, how to look, what to do.")
    for (name, number), content in zip(numbers().items(), _sections().values(), strict=True):
        rows = 2 + sum(-(-len(part) // _LETTERS) for part in content.splitlines()) / _LINES
        panel = text.Panel().id(number).title(f"{number}. {name}").span(_WIDTH).height(round(rows))
        panel = panel.mode(t.TextMode.MARKDOWN).content(_linked(content))
        built = built.with_panel(panel.description("A section of docs/runbook.md."))
    return built


def _sections() -> dict[str, str]:
    """Read the sections of the file, by the names of their alerts."""
    found = {}
    for section in _FILE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name, _, content = section.partition("\n")
        # One line per paragraph: the file's line breaks do not fit a page of another width.
        found[name] = re.sub(r"(?<!\n)\n(?!\n)", " ", content.strip())
    return found


def _linked(content: str) -> str:
    """Turn links to other sections into links to their panels."""
    by_anchor = {name.lower(): number for name, number in numbers().items()}
    return re.sub(r"\(#(\w+)\)", lambda found: f"({section_url(by_anchor[found[1]])})", content)
