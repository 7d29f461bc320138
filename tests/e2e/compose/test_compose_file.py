"""The Compose file as Compose resolves it, held to what keeps a container in its place."""

import re
from typing import Any

import pytest

from tests.e2e.compose.stack import ROOT, compose_missing, resolved

OWN = (
    "charge_request_service",
    "load_balancer",
    "substation1",
    "substation2",
    "substation3",
    "load_tester",
)
OTHERS = ("prometheus", "grafana", "alertmanager")
SERVICES = (*OWN, *OTHERS)
# What the real images run as.
USERS = {"prometheus": "65534:65534", "alertmanager": "65534:65534", "grafana": "472:0"}
DRAIN_TIMEOUT_S = 75
_MEGABYTE = 1 << 20

each_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    missing = compose_missing()
    if missing:
        pytest.skip(missing)
    return resolved()


def test_the_file_holds_the_services_that_are_tested_here(document: dict[str, Any]) -> None:
    assert set(document["services"]) == set(SERVICES)


@each_service
def test_a_container_gains_no_right(document: dict[str, Any], service: str) -> None:
    container = document["services"][service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["user"] == USERS.get(service, "10001:10001")
    for right in ("privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode"):
        assert right not in container
    assert "container_name" not in container  # --scale needs the name free


@each_service
def test_a_container_has_its_limits(document: dict[str, Any], service: str) -> None:
    container = document["services"][service]
    assert 0 < container["cpus"] <= 1  # more would not start on a machine with one processor
    assert 128 * _MEGABYTE <= int(container["mem_limit"]) <= 1024 * _MEGABYTE
    assert 0 < container["pids_limit"] <= 256
    assert set(container["logging"]["options"]) == {"max-size", "max-file"}
    assert container["logging"]["driver"] == "json-file"


@each_service
def test_a_container_writes_to_memory_alone(document: dict[str, Any], service: str) -> None:
    container = document["services"][service]
    for mount in container.get("volumes", []):
        assert mount["type"] == "bind"
        assert mount["read_only"] is True
    assert container["tmpfs"]
    for mount in container["tmpfs"]:
        assert re.search(r"[:,]size=\d+m(,|$)", mount), f"{mount} has no bound"


@each_service
def test_a_container_starts_again_and_stops_in_its_time(
    document: dict[str, Any], service: str
) -> None:
    container = document["services"][service]
    # The load tester ends when its vehicles have charged.
    assert container["restart"] == ("no" if service == "load_tester" else "unless-stopped")
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(\d+)s", container["stop_grace_period"]).groups()  # type: ignore[union-attr] # no match is a failure
    grace_s = 60 * int(minutes or 0) + int(seconds)
    assert grace_s > (DRAIN_TIMEOUT_S if service in OWN else 0)


@each_service
def test_a_container_tells_its_health_without_curl(document: dict[str, Any], service: str) -> None:
    container = document["services"][service]
    if service == "load_tester":
        assert "healthcheck" not in container  # it serves nobody
        return
    command, *arguments = container["healthcheck"]["test"][1:]
    if service in OWN:
        assert [command, *arguments[:2]] == ["python", "-m", "grid_common.healthcheck"]
        assert arguments[2].endswith("/readyz")
    else:
        assert command == "wget"  # of the busybox in these images


@pytest.mark.parametrize("service", OWN)
def test_a_proxy_of_vehicles_may_hold_many(document: dict[str, Any], service: str) -> None:
    limit = document["services"][service]["ulimits"]["nofile"]
    assert limit == {"soft": 20000, "hard": 20000}


def test_three_ports_are_published_and_on_this_machine_alone(document: dict[str, Any]) -> None:
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service["ports"]]
        for name, service in document["services"].items()
        if "ports" in service
    }
    assert published == {
        "charge_request_service": [("127.0.0.1", "8080", 8080)],
        "prometheus": [("127.0.0.1", "9090", 9090)],
        "grafana": [("127.0.0.1", "3000", 3000)],
    }


def test_sites_and_balancer_are_on_the_internal_network_alone(document: dict[str, Any]) -> None:
    internal = {name for name, net in document["networks"].items() if net.get("internal")}
    assert internal == {"grid"}
    for service in OWN:
        networks = set(document["services"][service]["networks"])
        assert networks == {"grid"} | ({"public"} if service == "charge_request_service" else set())
    # Grafana and Alertmanager need no site, and reach none.
    assert set(document["services"]["grafana"]["networks"]) == {"monitoring"}
    assert set(document["services"]["alertmanager"]["networks"]) == {"monitoring"}


def test_nothing_starts_before_what_it_needs_is_healthy(document: dict[str, Any]) -> None:
    needs = {
        name: set(service.get("depends_on", {})) for name, service in document["services"].items()
    }
    assert needs == {
        "substation1": set(),
        "substation2": set(),
        "substation3": set(),
        "load_balancer": {"substation1", "substation2", "substation3"},
        "charge_request_service": {"load_balancer"},
        "prometheus": {"load_balancer"},
        "grafana": {"prometheus"},
        "load_tester": {"charge_request_service"},
        "alertmanager": set(),
    }
    for service in document["services"].values():
        for need in service.get("depends_on", {}).values():
            assert need["condition"] == "service_healthy"


def test_images_are_pinned_and_carry_no_secret(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        if "image" in service:
            assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"]), name
        for variable in service.get("environment") or {}:
            assert not re.search(r"PASSWORD|SECRET_KEY|TOKEN|API_KEY", variable), name
    for file in sorted(ROOT.glob("*/Dockerfile")):
        text = file.read_text()
        assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == ["python:3.13-slim"], file
        assert re.search(r"^USER 10001:10001$", text, re.MULTILINE), file
        assert "ARG" not in text, file


def test_images_share_their_first_layers() -> None:
    shared = [
        file.read_text().split("\n", 1)[1].split("COPY grid_common/")[0]
        for file in sorted(ROOT.glob("*/Dockerfile"))
    ]
    assert len(shared) == 4
    assert len(set(shared)) == 1
