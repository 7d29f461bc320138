"""The stack as a user meets it: it comes up healthy, charges, and grows."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.e2e.compose.stack import SUBSTATIONS, Stack
from tests.support.deadline import eventually

_POINTS = sum(SUBSTATIONS.values())
_FOUND_WITHIN_S = 5


def charge_at_once(stack: Stack, vehicles: int, kwh: float = 5) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(vehicles) as pool:
        answers = list(pool.map(lambda _: stack.charge(kwh), range(vehicles)))
    refused = [answer.text for answer in answers if answer.status_code != 200]
    assert refused == []
    return [answer.json() for answer in answers]


def test_every_container_is_healthy(stack: Stack) -> None:
    containers = stack.containers()
    assert len(containers) == len(SUBSTATIONS) + len(stack.services) + 1  # the balancer
    for container in containers:
        assert container["State"]["Health"]["Status"] == "healthy", container["Name"]
        assert container["Config"]["User"] not in ("", "0", "root")


def test_a_charge_without_a_body_is_charged(stack: Stack) -> None:
    answer = requests.post(stack.url("gateway", "/charge"), timeout=30)
    assert answer.status_code == 200, answer.text
    charged = answer.json()
    assert charged["status"] == "charged"
    assert charged["kwh"] == 10
    assert charged["substation"] in SUBSTATIONS


def test_three_substations_share_the_vehicles_by_their_points(stack: Stack) -> None:
    charged = charge_at_once(stack, _POINTS, kwh=20)
    by_substation = dict.fromkeys(SUBSTATIONS, 0)
    for vehicle in charged:
        by_substation[vehicle["substation"]] += 1
    assert by_substation == SUBSTATIONS
    assert all(vehicle["attempts"] == 1 for vehicle in charged)


def test_more_vehicles_than_points_all_charge(stack: Stack) -> None:
    charged = charge_at_once(stack, 2 * _POINTS)
    assert len({vehicle["session_id"] for vehicle in charged}) == 2 * _POINTS
    assert max(vehicle["waited_s"] for vehicle in charged) > 0


def test_only_gateway_prometheus_and_grafana_are_published_on_this_machine(stack: Stack) -> None:
    published = {
        container["Config"]["Labels"]["com.docker.compose.service"]: [
            (door["HostIp"], int(door["HostPort"])) for door in doors
        ]
        for container in stack.containers()
        for doors in container["NetworkSettings"]["Ports"].values()
        if doors
    }
    services = {"charge_request_service": "gateway", "prometheus": "prometheus"}
    if "grafana" in stack.services:
        services["grafana"] = "grafana"
    assert published == {
        service: [("127.0.0.1", stack.ports[name])] for service, name in services.items()
    }


@pytest.mark.parametrize(
    "service", ["charge_request_service", "load_balancer", "substation1", "prometheus"]
)
def test_a_container_can_write_to_its_root_nowhere(stack: Stack, service: str) -> None:
    done = stack.compose("exec", service, "touch", "/app/x", "/etc/x", "/x", check=False)
    assert done.returncode != 0
    assert done.stderr.count("Read-only file system") >= 2, done.stderr


def test_a_health_check_fails_if_the_service_is_not_healthy(stack: Stack) -> None:
    check = ("exec", "load_balancer", "python", "-m", "grid_common.healthcheck")
    assert stack.compose(*check, "http://127.0.0.1:5001/readyz").stdout == ""
    done = stack.compose(*check, "http://127.0.0.1:5001/nowhere", check=False)
    assert (done.returncode, "answered 404" in done.stdout) == (1, True)
    done = stack.compose(*check, "http://127.0.0.1:1/readyz", check=False)
    assert (done.returncode, "refused" in done.stdout) == (1, True)
    done = stack.compose(*check, "substation1", check=False)
    assert (done.returncode, "not a URL" in done.stderr) == (2, True)


def test_no_health_check_asks_a_proxy(stack: Stack) -> None:
    # Docker's client can be set up to name one to every container.
    proxy = ("-e", "http_proxy=http://127.0.0.1:9", "-e", "HTTP_PROXY=http://127.0.0.1:9")
    for container in stack.containers():
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        _, *check = container["Config"]["Healthcheck"]["Test"]
        done = stack.compose("exec", *proxy, service, *check, check=False)
        assert done.returncode == 0, f"{service}: {done.stdout}{done.stderr}"


def test_scaled_substations_are_found_by_dns_and_get_vehicles(stack: Stack) -> None:
    before = set(stack.substations())

    def scraped(substations: set[str]) -> None:
        assert substations <= {
            sample["metric"].get("substation") for sample in stack.query("up == 1")
        }

    def gone() -> None:
        assert set(stack.substations()) == before

    try:
        # Until they are healthy; how long a busy machine takes to start them is its own matter.
        stack.compose("up", "--wait", "--no-recreate", "--scale", "substation2=4", "substation2")

        def found() -> set[str]:
            substations = stack.substations()
            up = {name for name, substation in substations.items() if substation["health"] == "up"}
            assert len(up) == len(before) + 3, substations
            return up - before

        new = eventually(found, _FOUND_WITHIN_S)
        # On an idle grid the least loaded come first in turn: as many vehicles as points fill all.
        charged = charge_at_once(stack, _POINTS + 3 * SUBSTATIONS["substation2"], kwh=20)
        by_substation = dict.fromkeys(new, 0)
        for vehicle in charged:
            if vehicle["substation"] in new:
                by_substation[vehicle["substation"]] += 1
        assert by_substation == dict.fromkeys(new, SUBSTATIONS["substation2"])
        # Prometheus knows them by the balancer's names.
        eventually(lambda: scraped(new), 15)
    finally:
        stack.compose("up", "-d", "--no-recreate", "--scale", "substation2=1", "substation2")
    eventually(gone, 2 * _FOUND_WITHIN_S)


def test_the_load_tester_runs_inside_the_grid(stack: Stack) -> None:
    stack.compose("build", "load_tester")
    done = stack.compose(
        *("run", "--rm", "-T", "load_tester"),
        *("--vehicles", "40", "--rate", "20", "--kwh", "2", "--json", "-"),
    )
    report = json.loads(done.stdout)
    assert report["vehicles"]["charged"] == 40, done.stderr


def test_the_load_tester_leaves_scaled_substations_alone(stack: Stack) -> None:
    scale = ("up", "-d", "--no-recreate", "--scale")
    try:
        stack.compose(*scale, "substation2=2", "substation2")
        stack.compose("run", "--rm", "--build", "-T", "load_tester", "--vehicles", "1")
        assert len(stack.containers("substation2")) == 2
        # Left behind as it is, for the `down` at the end of all tests to take away.
        stack.compose("up", "--scale", "load_tester=1", "load_tester")
        assert len(stack.containers("substation2")) == 2
    finally:
        stack.compose(*scale, "substation2=1", "substation2")
