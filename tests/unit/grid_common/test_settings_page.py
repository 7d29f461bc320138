"""The table of settings in the docs and the code are one."""

from pathlib import Path

import pytest

import charge_request_service.settings
import load_balancer.settings
import substation_service.settings
from grid_common.settings import ServiceSettings, rows

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
SERVICES: dict[str, type[ServiceSettings]] = {
    "gateway": charge_request_service.settings.Settings,
    "balancer": load_balancer.settings.Settings,
    "substation": substation_service.settings.Settings,
}


def table() -> dict[tuple[str, str], tuple[str, str]]:
    """Read the page's rows: (setting, whose) to (default, meaning)."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[0].startswith("`") and cells[0].isupper():
            found[cells[0].strip("`"), cells[1]] = (cells[2], cells[3])
    return found


def declared() -> dict[tuple[str, str], tuple[str, str]]:
    """Read the same from the code; what all services share is listed once."""
    common = {name: (default, meaning) for name, default, meaning in rows(ServiceSettings)}
    common["PORT"] = (
        ", ".join(
            {name: default for name, default, _ in rows(one)}["PORT"] for one in SERVICES.values()
        ),
        common["PORT"][1],
    )
    found = {(name, "all"): row for name, row in common.items()}
    for whose, settings in SERVICES.items():
        for name, default, meaning in rows(settings):
            if name not in common:
                found[name, whose] = (default, meaning)
    return found


def test_the_page_lists_every_setting_as_the_code_declares_it() -> None:
    assert table() == declared()


@pytest.mark.parametrize("whose", SERVICES)
def test_every_setting_has_a_meaning(whose: str) -> None:
    assert all(meaning for _, _, meaning in rows(SERVICES[whose]))
