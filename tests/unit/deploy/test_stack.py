"""The Swarm stack: its intended settings."""

import re
from typing import Any

import pytest

from charge_request_service.settings import Settings
from grid_common.settings import SettingsError
from tests.e2e.compose.stack import compose_missing
from tests.support.commands import run
from tests.unit.deploy.facts import STACK_FILE, compose, stack

_SERVICES: dict[str, Any] = stack()["services"]
each_service = pytest.mark.parametrize("name", _SERVICES)

# What `docker stack deploy` passes over, or does not take.
_NOT_TAKEN = {
    *("build", "cgroup_parent", "container_name", "cpus", "devices", "expose", "external_links"),
    *("links", "mem_limit", "network_mode", "pid", "pids_limit", "privileged", "profiles"),
    *("pull_policy", "restart", "scale", "security_opt", "tmpfs", "userns_mode", "depends_on"),
}


@each_service
def test_nothing_stands_there_that_swarm_passes_over(name: str) -> None:
    assert _NOT_TAKEN & _SERVICES[name].keys() == set()


def test_docker_accepts_the_stack_file() -> None:
    if missing := compose_missing():
        pytest.skip(missing)
    done = run("docker", "stack", "config", "--compose-file", STACK_FILE)
    assert done.returncode == 0, done.stderr


@each_service
def test_a_name_leads_to_the_tasks_themselves(name: str) -> None:
    assert _SERVICES[name]["deploy"]["endpoint_mode"] == "dnsrr"


@each_service
def test_logs_are_bounded(name: str) -> None:
    assert _SERVICES[name]["logging"] == compose()["services"]["prometheus"]["logging"]


def test_only_the_gateway_has_a_port_and_its_settings_say_that_it_is_open() -> None:
    published = {name: one["ports"] for name, one in _SERVICES.items() if "ports" in one}
    (port,) = published.pop("charge_request_service")
    assert published == {}
    assert port == {"mode": "host", "target": 8080, "published": "8080"}
    assert _SERVICES["charge_request_service"]["environment"]["PUBLISHED_HOST"] == "0.0.0.0"  # noqa: S104 - compared


def test_without_api_keys_its_gateway_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _SERVICES["charge_request_service"]["environment"].items():
        if name not in ("CHARGE_API_KEYS_FILE", "LEDGER_URL"):
            monkeypatch.setenv(name, str(value))

    with pytest.raises(SettingsError, match=r"PUBLISHED_HOST=0\.0\.0\.0 admits other machines"):
        Settings.load()


@each_service
def test_a_task_that_has_a_place_ends_before_the_next_one_begins(name: str) -> None:
    service = _SERVICES[name]
    is_bound = "ports" in service or any(one["type"] == "volume" for one in service["volumes"])
    order = service["deploy"]["update_config"]["order"]
    assert order == ("stop-first" if is_bound or name == "grafana" else "start-first")
    rollback = service["deploy"].get("rollback_config", {"order": order})
    assert rollback["order"] == order
    assert service["deploy"]["update_config"]["parallelism"] == 1


@each_service
def test_each_secret_that_is_asked_for_is_there_for_its_user_alone(name: str) -> None:
    service = _SERVICES[name]
    user = service["user"].partition(":")[0]
    given = {one["target"]: one for one in service.get("secrets", [])}
    asked = re.findall(r"/run/secrets/(\w+)", str(service.get("environment")))
    assert given.keys() == set(asked)
    for secret in given.values():
        assert (secret["uid"], secret["mode"]) == (user, 0o400)
        assert stack()["secrets"][secret["source"]]["external"] is True


def test_substations_and_the_ledger_stay_where_their_volumes_are() -> None:
    placed = {name for name, one in _SERVICES.items() if "placement" in one["deploy"]}
    assert placed == {"ledger", "substation1", "substation2", "substation3"}


def test_networks_are_closed_where_those_of_compose_are() -> None:
    closed = {name for name, one in stack()["networks"].items() if one.get("internal")}
    assert closed == {"grid", "ledger"}
    assert all(one["driver"] == "overlay" for one in stack()["networks"].values())


def test_all_that_compose_reads_is_in_configs_of_this_version() -> None:
    text = STACK_FILE.read_text()
    for name, config in stack()["configs"].items():
        assert config["name"] == f"ev-grid-{name}-0.1.0"
    assert len(re.findall(r"ev-grid-\w+-\$\{GRID_TAG:-0\.1\.0\}", text)) == len(stack()["configs"])
