"""The fields and the Compose example in docs/your-own-substations.md match the code."""

import re
from pathlib import Path
from typing import Any

import yaml

from load_balancer.profile import SubstationProfile
from load_balancer.settings import Settings
from tests.support.own_substations import PAGE


def shown(default: object) -> str:
    if default is None:
        return ""
    return f"{default:g}" if isinstance(default, int | float) else str(default)


def test_the_page_lists_every_field_as_the_code_declares_it() -> None:
    cells = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines()]
    table = {
        row[0].strip("`"): [part.strip() for part in row[1:]] for row in cells if len(row) == 3
    }
    for heading in ("field", "---"):
        del table[heading]
    assert table.pop("url")
    assert table == {
        name: [shown(field.default), field.description]
        for name, field in SubstationProfile.model_fields.items()
    }


def test_the_compose_file_of_the_page_changes_a_service_that_is_there() -> None:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    override: dict[str, Any] = yaml.safe_load(found[1])
    compose = yaml.safe_load(Path(PAGE.parents[1] / "docker-compose.yml").read_text())
    (name, service), *others = override["services"].items()
    assert not others
    assert {each.lower() for each in service["environment"]} <= Settings.model_fields.keys()
    networks = {*compose["networks"], *override["networks"]}
    assert set(compose["services"][name]["networks"]) <= set(service["networks"]) <= networks
    assert override["networks"] == {"substations": None}  # with a way out, unlike `grid`
