"""A substation's health has the same names wherever people and other services read it."""

import re
from pathlib import Path

import pytest

import charge_request_service.control_room
from charge_request_service.balancers import openapi
from load_balancer.routing.health import Health
from local_stack.process import ROOT

STATIC = Path(charge_request_service.control_room.__file__).parent / "static"


def in_page(file: str, pattern: str) -> str:
    """Return the only group of a pattern in a file of the control room."""
    [found] = re.findall(pattern, (STATIC / file).read_text(encoding="utf-8"))
    return str(found)


def test_the_gateway_describes_every_health() -> None:
    substation = openapi.schemas()["Substation"]
    assert substation["properties"]["health"] == {"enum": [*Health]}


def test_the_control_room_has_a_text_for_every_health() -> None:
    texts = in_page("card.js", r"const HEALTH = \{(.*)\};")
    assert re.findall(r"(\w+):", texts) == [*Health]
    declared = in_page("api.js", r"@typedef \{(.*)\} Health")
    assert declared.split(" | ") == [f'"{health}"' for health in Health]


@pytest.mark.parametrize("health", [one for one in Health if one is not Health.UNKNOWN])
def test_the_control_room_has_a_mark_for_every_known_health(health: Health) -> None:
    marks = (STATIC / "style.css").read_text(encoding="utf-8")
    assert f'[data-health="{health}"] .health {{' in marks
    assert f'[data-health="{health}"] .health::before {{' in marks


def test_the_api_page_names_every_health() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    [row] = [line for line in page.splitlines() if line.startswith("| `health`, `reason` |")]
    *others, last = [f"`{health}`" for health in Health]
    assert f"{', '.join(others)} or {last}, and why" in row


@pytest.mark.parametrize(
    ("health", "responds"),
    [
        (Health.UNKNOWN, False),
        (Health.UP, True),
        (Health.DRAINING, True),
        (Health.DOWN, False),
    ],
)
def test_whether_the_last_poll_was_answered(health: Health, responds: bool) -> None:
    assert health.responds is responds
    silent = in_page("attention.js", r"return (health !== .*);")
    assert (f'health !== "{health}"' not in silent) is responds
