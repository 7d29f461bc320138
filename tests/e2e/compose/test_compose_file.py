"""The Compose file as Compose resolves it, held to what keeps a container in its place."""

import re
import tomllib
from pathlib import Path
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
BASE_IMAGE = "python:3.13-slim"
DRAIN_TIMEOUT_S = 75
_MEGABYTE = 1 << 20

# What gives a container a right, a name or a part of the machine that the others lack.
_RIGHTS = (
    *("privileged", "cap_add", "devices", "device_cgroup_rules", "gpus", "pid", "ipc", "uts"),
    *("cgroup", "cgroup_parent", "network_mode", "userns_mode", "group_add", "sysctls", "runtime"),
    *("credential_spec", "volumes_from", "external_links", "extra_hosts", "env_file"),
)
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|(API|PRIVATE|ACCESS)_?KEY", re.I
)
# A key, or a user and password in a URL. A path is neither.
_SECRET_VALUE = re.compile(r"[A-Za-z0-9+_=-]{32,}|://[^/@]*:[^/@]*@")

_PINNED = re.compile(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?")
# Its own images: what they are called, and the service that builds each.
IMAGES = {
    "gateway": "charge_request_service",
    "balancer": "load_balancer",
    "substation": "substation1",
    "load-tester": "load_tester",
}

each_service = pytest.mark.parametrize("service", SERVICES)


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable may hold a secret. A name of a file that does is none."""
    named = _SECRET_NAME.search(name) and not name.endswith("_FILE")
    return bool(_SECRET_VALUE.search(value) or (named and value not in ("true", "false", "")))


@pytest.fixture(scope="module", params=[(), (ROOT / "docker-compose.keys.yml",)], ids=["", "keys"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    missing = compose_missing()
    if missing:
        pytest.skip(missing)
    return resolved(*request.param)


def test_the_file_holds_the_services_that_are_tested_here(document: dict[str, Any]) -> None:
    assert set(document["services"]) == set(SERVICES)


@each_service
def test_a_container_gains_no_right(document: dict[str, Any], service: str) -> None:
    container = document["services"][service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["user"] == USERS.get(service, "10001:10001")
    assert [right for right in _RIGHTS if container.get(right)] == []
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
def test_a_container_writes_to_memory_and_its_journal_or_ledger_alone(
    document: dict[str, Any], service: str
) -> None:
    container = document["services"][service]
    for mount in container.get("volumes", []):
        if mount.get("target") == "/var/lib/substation":  # the journal, bounded by JOURNAL_MAX_MB
            assert mount["type"] == "volume"
            assert service.startswith("substation")
            assert "source" not in mount  # a name would have the containers of --scale share it
            continue
        if mount.get("target") == "/var/lib/gateway":  # the ledger, bounded by LEDGER_RETENTION
            assert (mount["type"], mount["source"]) == ("volume", "ledger")
            assert service == "charge_request_service"
            continue
        assert mount["type"] == "bind"
        assert mount["read_only"] is True
        # Configuration of this repository, and so no socket of the engine.
        assert Path(mount["source"]).is_relative_to(ROOT)
    assert container["tmpfs"]
    for mount in container["tmpfs"]:
        assert re.search(r"[:,]size=\d+m(,|$)", mount), f"{mount} has no bound"
        assert {"noexec", "nosuid", "nodev"} <= set(mount.partition(":")[2].split(",")), mount


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
def test_a_container_reports_its_health_without_curl(
    document: dict[str, Any], service: str
) -> None:
    container = document["services"][service]
    if service == "load_tester":
        assert "healthcheck" not in container  # it serves nobody
        return
    command, *arguments = container["healthcheck"]["test"][1:]
    if service in OWN:
        assert [command, *arguments[:2]] == ["python", "-m", "grid_common.healthcheck"]
        assert arguments[2].endswith("/readyz")
    else:
        assert [command, *arguments[:3]] == ["wget", "-q", "-Y", "off"]  # the images' busybox


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


def test_substations_and_balancer_are_on_the_internal_network_alone(
    document: dict[str, Any],
) -> None:
    internal = {name for name, net in document["networks"].items() if net.get("internal")}
    assert internal == {"grid"}
    for service in OWN:
        networks = set(document["services"][service]["networks"])
        assert networks == {"grid"} | ({"public"} if service == "charge_request_service" else set())
    # Grafana and Alertmanager need no substation, and reach none.
    assert set(document["services"]["grafana"]["networks"]) == {"monitoring"}
    assert set(document["services"]["alertmanager"]["networks"]) == {"monitoring"}
    assert set(document["services"]["prometheus"]["networks"]) == {"grid", "monitoring"}


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
        "load_tester": set(),  # it waits by itself, as `run` would scale anew what it needs
        "alertmanager": set(),
    }
    for service in document["services"].values():
        for need in service.get("depends_on", {}).values():
            assert need["condition"] == "service_healthy"


def test_images_are_pinned_and_carry_no_secret(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        if name in OTHERS:
            assert _PINNED.fullmatch(service["image"]), name
        for variable, value in (service.get("environment") or {}).items():
            assert not looks_secret(variable, str(value)), f"{name}: {variable}"
    for file in sorted(ROOT.glob("*/Dockerfile")):
        text = file.read_text()
        assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == [BASE_IMAGE], file
        assert re.search(r"^USER 10001:10001$", text, re.MULTILINE), file
        assert "ARG" not in text, file


def test_its_own_images_are_built_once_each_and_asked_of_no_registry(
    document: dict[str, Any],
) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    builders = {
        service["image"]: name
        for name, service in document["services"].items()
        if "build" in service
    }
    assert builders == {f"ev-grid/{name}:{version}": by for name, by in IMAGES.items()}
    for name in OWN:
        assert document["services"][name]["image"] in builders
        assert document["services"][name]["pull_policy"] == "never"


def test_one_variable_tags_them_and_one_says_where_they_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if missing := compose_missing():
        pytest.skip(missing)
    monkeypatch.setenv("GRID_TAG", "1.2.3")
    monkeypatch.setenv("GRID_REGISTRY", "registry.example/grid")
    services = resolved()["services"]
    assert {services[name]["image"] for name in OWN} == {
        f"registry.example/grid/{name}:1.2.3" for name in IMAGES
    }


def test_images_share_their_first_layers() -> None:
    shared = [
        file.read_text().split("\n", 1)[1].split("COPY grid_common/")[0]
        for file in sorted(ROOT.glob("*/Dockerfile"))
    ]
    assert len(shared) == 4
    assert len(set(shared)) == 1


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("GF_SECURITY_ADMIN_PASSWORD", "admin", True),
        ("CHARGE_API_KEY", "evgrid_x", True),
        ("BALANCER_URL", "http://user:pass@load_balancer:5001", True),
        ("X", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", True),
        ("BALANCER_URL", "http://load_balancer:5001", False),
        ("CHARGE_API_KEYS_FILE", "/run/secrets/api_keys", False),
        ("GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION", "true", False),
        ("PATH", "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", False),
    ],
)
def test_a_secret_is_known_by_its_name_or_value(name: str, value: str, secret: bool) -> None:
    assert looks_secret(name, value) is secret
