"""docs/scaling.md, held to what can be computed or read."""

import re

import pytest

from local_stack.process import ROOT
from tests.unit.deploy.facts import STACK_FILE
from tests.unit.deploy.kubernetes import FOLDER

_PAGE = (ROOT / "docs" / "scaling.md").read_text()
_ROW = re.compile(r"^\| ([\d,]+) \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \|$", re.MULTILINE)


def waiting_share(points: int, use: float) -> float:
    """Compute the share of vehicles that wait for a point: Erlang's C, in percent.

    Args:
        points: charging points, all alike.
        use: arrivals x mean time at a point / points.
    """
    offered = use * points
    blocked = 1.0
    for number in range(1, points + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return 100 * blocked / (1 - use * (1 - blocked))


def test_the_table_of_waiting_vehicles_is_erlangs() -> None:
    rows = _ROW.findall(_PAGE)
    assert len(rows) == 4
    for points, *shares in rows:
        computed = [waiting_share(int(points.replace(",", "")), use) for use in (0.8, 0.9, 0.95)]
        assert [float(share) for share in shares] == pytest.approx(computed, abs=0.005)


@pytest.mark.parametrize(
    "name",
    ["GRID_TAG", "GRID_REGISTRY", "GATEWAY_PORT", "API_KEYS", "LEDGER_PASSWORD", "LEDGER_ON"],
)
def test_variables_of_the_stack_are_described(name: str) -> None:
    assert f"${{{name}:-" in STACK_FILE.read_text()
    assert f"`{name}" in _PAGE


def test_it_says_that_no_cluster_has_run_the_manifests() -> None:
    assert "**No cluster has run these manifests.**" in _PAGE
    for overlay in ("base", "production"):
        assert (
            "No cluster has run these manifests"
            in (FOLDER / overlay / "kustomization.yaml").read_text()
        )
