"""An operator drains a substation, through gateway and balancer."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from local_stack.process import Process
from tests.conftest import StartGrid, StartService
from tests.support.api_keys import add_key
from tests.support.deadline import eventually


def drain(url: str, name: str, method: str = "PUT", key: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    path = f"{url}/substations/{quote(name, safe='')}/drain"
    return requests.request(method, path, headers=headers, timeout=10)


def drained(balancer: Process) -> list[str]:
    reported = requests.get(f"{balancer.url}/substations", timeout=10).json()["substations"]
    return [one["name"] for one in reported if one["drained"]]


def test_with_keys_only_an_operator_drains(start_grid: StartGrid, tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    alice, desk = add_key(file, "alice"), add_key(file, "desk", "--operator")
    grid = start_grid(points=(4, 4), gateway_env={"CHARGE_API_KEYS_FILE": str(file)})

    for method in ("PUT", "DELETE"):
        refused = drain(grid.url, "substation1", method, alice)
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:ev-grid:problem:operators-only"
        assert drain(grid.url, "substation1", method).status_code == 401
    assert drained(grid.balancer) == []

    for _ in range(2):
        answer = drain(grid.url, "substation1", key=desk)
        assert answer.status_code == 200
        [reported] = answer.json()["substations"]
        assert (reported["name"], reported["health"], reported["drained"]) == (
            "substation1",
            "draining",
            True,
        )
    assert drained(grid.balancer) == ["substation1"]
    log = (grid.folder / "charge_request_service.log").read_text()
    assert '"caller":"desk"' in next(line for line in log.splitlines() if "drained" in line)

    for _ in range(2):
        assert drain(grid.url, "substation1", "DELETE", desk).status_code == 200
    assert drained(grid.balancer) == []
    assert drain(grid.url, "nowhere", key=desk).status_code == 404


def test_with_every_substation_drained_a_vehicle_waits_until_one_is_not(
    start_grid: StartGrid,
) -> None:
    grid = start_grid(points=(2, 2))
    for name in ("substation1", "substation2"):
        assert drain(grid.url, name).status_code == 200
    headers = {"Prefer": "respond-async"}
    reported = requests.post(
        f"{grid.url}/charge", json={"kwh": 1}, headers=headers, timeout=10
    ).json()
    path = f"{grid.url}/sessions/{reported['session_id']}"
    assert requests.get(path, timeout=10).json()["state"] == "waiting"

    assert drain(grid.url, "substation2", "DELETE").status_code == 200

    def is_charged() -> None:
        found: dict[str, Any] = requests.get(path, timeout=10).json()
        assert (found["state"], found["substation"]) == ("charged", "substation2"), found

    eventually(is_charged, within_s=10)


@pytest.mark.parametrize("name", ["hall 7/a", "100%", "Süd?#"])
def test_any_name_that_a_substation_may_have_can_be_drained(
    start_service: StartService, name: str
) -> None:
    substation = start_service("substation_service")
    balancer = start_service("load_balancer", SUBSTATIONS=f"{name}={substation.url}")
    gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)

    def is_found() -> None:
        answer = drain(gateway.url, name)
        assert answer.status_code == 200, answer.text

    eventually(is_found, within_s=10)
    assert drained(balancer) == [name]
    assert drain(gateway.url, name, "DELETE").status_code == 200
    assert drained(balancer) == []


def test_another_site_cannot_have_a_browser_drain_a_substation(start_grid: StartGrid) -> None:
    grid = start_grid(points=(2,))

    answer = requests.put(
        f"{grid.url}/substations/substation1/drain",
        headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        timeout=10,
    )

    assert answer.status_code == 403
    assert drained(grid.balancer) == []
