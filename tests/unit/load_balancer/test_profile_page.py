"""The table of fields in docs/your-own-substations.md and the code are one."""

from load_balancer.profile import SubstationProfile
from tests.integration.own_ways import PAGE


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
