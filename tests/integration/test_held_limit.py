"""With every connection that may hold a vehicle taken, the others still do their work."""

import threading
from contextlib import suppress
from typing import Any

import requests

from local_stack.grid import Grid
from tests.conftest import StartGrid
from tests.support.deadline import eventually

MOST = 40
# A tenth stays free.
HELD = 36


def hold(grid: Grid, count: int, answers: list[requests.Response]) -> list[threading.Thread]:
    """Have so many vehicles charge for half a minute, each on a connection of its own."""

    def charge(number: int) -> None:
        with suppress(requests.RequestException):  # the grid ends before
            answers.append(
                requests.post(
                    f"{grid.url}/charge",
                    json={"kwh": 150},
                    headers={"Idempotency-Key": f"held-{number}"},
                    timeout=60,
                )
            )

    threads = [threading.Thread(target=charge, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    return threads


def running(grid: Grid) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{grid.url}/sessions?state=open", timeout=5).json()[
        "sessions"
    ]
    return found


def in_state(grid: Grid, state: str, count: int) -> list[dict[str, Any]]:
    found = [one for one in running(grid) if one["state"] == state]
    assert len(found) == count
    return found


def test_a_gateway_whose_connections_are_taken_lists_and_stops(start_grid: StartGrid) -> None:
    grid = start_grid(points=(60,), gateway_env={"MAX_CONNECTIONS": str(MOST)})
    answers: list[requests.Response] = []
    hold(grid, HELD, answers)
    charging = eventually(lambda: in_state(grid, "charging", HELD), 20)

    one_more = requests.post(f"{grid.url}/charge", json={"kwh": 1}, timeout=10)

    assert one_more.status_code == 503
    assert one_more.json()["type"] == "urn:ev-grid:problem:connections"
    assert f"holds {HELD} vehicles" in one_more.json()["detail"]
    assert int(one_more.headers["Retry-After"]) > 0
    stopped = requests.delete(f"{grid.url}/sessions/{charging[0]['session_id']}", timeout=10)
    assert stopped.json()["state"] == "stopped"
    assert requests.post(f"{grid.url}/charge", json={"kwh": 1}, timeout=10).status_code == 200


def test_vehicles_wait_for_a_balancer_whose_connections_are_taken(start_grid: StartGrid) -> None:
    grid = start_grid(points=(60,), balancer_env={"MAX_CONNECTIONS": str(MOST)})
    answers: list[requests.Response] = []
    hold(grid, HELD + 1, answers)
    charging = eventually(lambda: in_state(grid, "charging", HELD), 20)
    [waiting] = in_state(grid, "waiting", 1)

    stopped = requests.delete(f"{grid.url}/sessions/{charging[0]['session_id']}", timeout=10)

    assert stopped.json()["state"] == "stopped"
    assert grid.get("/substations", of=grid.balancer)["substations"][0]["own_load"] >= HELD - 1

    def charges() -> None:
        shown = requests.get(f"{grid.url}/sessions/{waiting['session_id']}", timeout=5).json()
        assert shown["state"] == "charging"

    eventually(charges, 10)
