"""Settings: a wrong one stops a service at start and says what to do."""

import json
import runpy
import socket
import sys
from typing import Any

import pytest

from grid_common.server import Server
from tests.support.commands import run_module


@pytest.mark.parametrize(
    ("module", "settings", "named"),
    [
        ("substation_service", {"CHARGING_POINTS": "0"}, ["CHARGING_POINTS=0", "1"]),
        ("substation_service", {"TIME_SCALE": "fast"}, ["TIME_SCALE=fast", "360"]),
        ("substation_service", {"POWER_LIMIT_KW": "0"}, ["POWER_LIMIT_KW=0", "greater than 0"]),
        ("substation_service", {"POWER_SHARING": "deadline"}, ["POWER_SHARING=deadline", "equal"]),
        (
            "substation_service",
            {"CHARGING_POINTS": "950", "MAX_CONNECTIONS": "1000"},
            ["CHARGING_POINTS=950", "MAX_CONNECTIONS=1000", "1050"],
        ),
        ("substation_service", {"PORT": "70000"}, ["PORT=70000"]),
        ("load_balancer", {}, ["SUBSTATIONS is missing", "set it"]),
        ("load_balancer", {"SUBSTATIONS": "substation1:5002"}, ["SUBSTATIONS=substation1:5002"]),
        ("load_balancer", {"SUBSTATIONS": " , "}, ["SUBSTATIONS", "no substation"]),
        ("load_balancer", {"SUBSTATIONS": "http://a:1,http://a:2"}, ["named 'a'", "name=http"]),
        ("load_balancer", {"SUBSTATIONS": ""}, ["SUBSTATIONS is missing", "set it"]),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://a..b:1"},
            ["http://a..b:1", "is not a host name"],
        ),
        ("load_balancer", {"SUBSTATIONS": "http://a:99999"}, ["http://a:99999", "1 to 65535"]),
        ("load_balancer", {"SUBSTATIONS": "http://a:0"}, ["http://a:0", "1 to 65535"]),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://[fe80::1%eth0]:1"},
            ["fe80::1%eth0", "global or private"],
        ),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://grid:hidden@a:1"},
            ["SUBSTATIONS=http://***@a:1", "remove them"],
        ),
        (
            "load_balancer",
            {"SUBSTATIONS": "north=http://a:1,south=http://A:1/"},
            ["north and south", "remove one of them"],
        ),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://a:1", "METRICS_PATH": "/m\u00e9trique"},
            ["METRICS_PATH=/m", "ASCII"],
        ),
        ("load_balancer", {"SUBSTATIONS": "http://a:1", "METRICS_PORT": "0"}, ["METRICS_PORT=0"]),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://a:1", "GAUGE_NAME": "x", "CAPACITY_GAUGE_NAME": "x"},
            ["gauge_name", "capacity_gauge_name", "both x"],
        ),
        (
            "load_balancer",
            {"SUBSTATIONS_FILE": "no-such-file"},
            ["SUBSTATIONS_FILE=no-such-file", "there is no such file"],
        ),
        (
            "load_balancer",
            {"SUBSTATIONS_FILE": "README.md"},
            ["SUBSTATIONS_FILE=README.md", "it is not TOML"],
        ),
        ("load_balancer", {"SUBSTATIONS": "http://a:1", "BIND_HOST": "a..b"}, ["BIND_HOST=a..b"]),
        (
            "load_balancer",
            {"SUBSTATIONS": "http://a:1", "ROUTING_POLICY": "best"},
            ["ROUTING_POLICY=best", "least-loaded"],
        ),
        ("charge_request_service", {"BALANCER_URL": "balancer"}, ["BALANCER_URL=balancer"]),
        (
            "charge_request_service",
            {"BALANCER_URL": "http://u:hidden@b:1"},
            ["BALANCER_URL=http://***@b:1", "remove them"],
        ),
        ("charge_request_service", {"BALANCER_URL": "http://b:70000"}, ["b:70000", "1 to 65535"]),
        ("charge_request_service", {"PUBLISHED_HOST": "a:80"}, ["PUBLISHED_HOST=a:80", "address"]),
        ("charge_request_service", {"MAX_WAIT": "-1"}, ["MAX_WAIT=-1"]),
        (
            "charge_request_service",
            {"BIND_HOST": "0.0.0.0"},  # noqa: S104 - refused
            ["BIND_HOST=0.0.0.0", "CHARGE_API_KEYS_FILE", "OPEN_TO_ALL=yes-anyone-may-charge"],
        ),
        (
            "charge_request_service",
            {"PUBLISHED_HOST": "192.0.2.1"},
            ["PUBLISHED_HOST=192.0.2.1", "CHARGE_API_KEYS_FILE"],
        ),
        (
            "charge_request_service",
            {"CHARGE_API_KEYS_FILE": "no-such-file"},
            ["CHARGE_API_KEYS_FILE=no-such-file", "there is no such file"],
        ),
        (
            "charge_request_service",
            {"CHARGE_API_KEYS_FILE": "README.md"},
            ["CHARGE_API_KEYS_FILE=README.md", "is not `name:sha256`"],
        ),
        (
            "charge_request_service",
            {"CHARGE_API_KEYS_FILE": f"evgrid_{'x' * 43}"},
            [f"CHARGE_API_KEYS_FILE=evgrid_{'x' * 13}... cannot", "there is no such file"],
        ),
        ("charge_request_service", {"RATE_LIMIT": "lots"}, ["RATE_LIMIT=lots", "600/minute"]),
        ("charge_request_service", {"ALLOWED_HOSTS": "a:80"}, ["ALLOWED_HOSTS=a:80", "scheme"]),
        ("charge_request_service", {"OPEN_TO_ALL": "yes"}, ["yes-anyone-may-charge"]),
    ],
)
def test_a_wrong_setting_names_itself_its_value_and_the_remedy(
    module: str,
    settings: dict[str, str],
    named: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", [module])
    monkeypatch.setattr(Server, "run", lambda _server: pytest.fail("it serves"))

    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(f"{module}: setting")
    assert all(part in said for part in named), said
    assert "Traceback" not in said
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("substation_service", {"PORT": "70000"}),
        ("load_balancer", {}),
        ("charge_request_service", {"BALANCER_URL": "http://u:hidden@b:1"}),
    ],
)
def test_a_service_with_a_wrong_setting_ends_with_status_2(
    module: str, settings: dict[str, str]
) -> None:
    finished = run_module(module, env=settings)

    assert finished.returncode == 2
    assert finished.stderr.startswith(f"{module}: setting")
    assert "Traceback" not in finished.stderr
    assert "hidden" not in finished.stderr


@pytest.mark.parametrize(
    "module", ["substation_service", "load_balancer", "charge_request_service"]
)
def test_help_lists_every_setting_with_its_meaning(module: str) -> None:
    finished = run_module(module, "--help")

    assert finished.returncode == 0
    assert "DRAIN_TIMEOUT" in finished.stdout
    assert "default: 75" in finished.stdout


def test_an_argument_is_refused_with_a_pointer_to_the_settings() -> None:
    finished = run_module("substation_service", "--port=1")

    assert finished.returncode == 2
    assert "--help" in finished.stderr


@pytest.fixture(scope="module")
def started_in_vain() -> tuple[str, list[dict[str, Any]]]:
    """A port that was taken, and what a service with a misspelt setting logged that needed it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_module(
            "substation_service", env={"PORT": port, "LOG_FORMAT": "json", "TIME_SCALES": "60"}
        )
    assert ended.returncode == 1
    return port, [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_port_that_is_taken_is_named_with_its_setting(
    started_in_vain: tuple[str, list[dict[str, Any]]],
) -> None:
    port, logged = started_in_vain
    assert logged[-1]["level"] == "error"
    assert (
        f"cannot listen on 127.0.0.1 port {port}: stop the process that uses the port, "
        "or set PORT" in (logged[-1]["event"])
    )


def test_a_misspelt_setting_is_logged_with_the_one_that_was_likely_meant(
    started_in_vain: tuple[str, list[dict[str, Any]]],
) -> None:
    first = started_in_vain[1][0]
    assert (first["event"], first["name"], first["did_you_mean"]) == (
        "setting not known",
        "TIME_SCALES",
        "TIME_SCALE",
    )


def test_an_old_name_of_a_setting_is_logged_with_the_new_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_module(
            "charge_request_service", env={"PORT": port, "LOG_FORMAT": "json", "CHECKS_MISSED": "5"}
        )
    first = json.loads(ended.stdout.splitlines()[0])
    assert (first["event"], first["level"]) == ("setting renamed", "warning")
    assert (first["name"], first["use"]) == ("CHECKS_MISSED", "CHECK_UNHEALTHY_THRESHOLD")
