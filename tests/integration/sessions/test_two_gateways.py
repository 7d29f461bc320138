"""Two gateways with one ledger: what one began is stopped at the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from local_stack.grid import Ports
from local_stack.postgresql import PostgreSQL
from local_stack.process import Process, service
from tests.conftest import StartGrid
from tests.support.deadline import eventually


@pytest.fixture
def gateways(
    start_grid: StartGrid, postgresql: PostgreSQL, tmp_path: Path
) -> Iterator[tuple[Process, Process]]:
    """Run a grid with a second gateway."""
    settings = {"LEDGER_URL": postgresql.new_database()}
    # 5 kWh a second.
    grid = start_grid(
        points=(4,),
        substation_env={"POINT_POWER_KW": "50", "TIME_SCALE": "360"},
        gateway_env=settings,
    )
    other = service(
        "gateway2",
        "charge_request_service",
        env={"BALANCER_URL": grid.balancer.url, **settings},
        port=Ports.free(0).gateway,
        log=tmp_path / "gateway2.log",
    )
    other.start()
    try:
        other.wait_until(other.missing, 30)
        yield grid.gateway, other
    finally:
        other.kill()


def ask(gateway: Process, **headers: str) -> requests.Response:
    return requests.post(
        f"{gateway.url}/charge",
        json={"vehicle_id": "EV-1", "kwh": 50},
        headers={"Idempotency-Key": "k1", **headers},
        timeout=10,
    )


def test_what_is_stopped_elsewhere_is_answered_to_its_key(
    gateways: tuple[Process, Process],
) -> None:
    began, other = gateways
    first = ask(began, Prefer="respond-async")
    assert first.status_code == 202
    session = first.headers["Location"]

    def charges() -> None:
        assert requests.get(f"{began.url}{session}", timeout=5).json()["state"] == "charging"

    eventually(charges)  # before that the balancer need not know it
    # Whoever began it is too slow to write its end, as one that is killed is.
    began.freeze()
    stopped = requests.delete(f"{other.url}{session}", timeout=10)
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopped")
    answers = [ask(other) for _ in range(2)]
    began.thaw()
    answers.append(ask(began))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Idempotency-Replayed"] == "true"
        assert answer.json()["status"] == "stopped"
        assert answer.json()["energy_kwh"] == stopped.json()["energy_kwh"]
        assert answer.json()["reason"] == "stopped by its caller"
