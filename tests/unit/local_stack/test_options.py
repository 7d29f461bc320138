"""The options of `make run`, and the variables that the Compose file has too."""

import pytest
import yaml

from local_stack.options import parse_options
from local_stack.process import ROOT


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in ("GATEWAY_HOST", "GATEWAY_PORT", "LEDGER_URL", "PROMETHEUS_PORT"):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "0", "-1", "http"])
def test_a_port_that_is_none_is_named(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    reported = refusal(capsys, f"--gateway-port={port}")
    assert f"--gateway-port: {port!r}: it takes a port from 1 to 65535" in reported


def test_a_port_that_is_none_is_named_with_its_variable(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("PROMETHEUS_PORT", "localhost:9091")
    reported = refusal(capsys)
    assert "PROMETHEUS_PORT: 'localhost:9091': it takes a port from 1 to 65535" in reported


def test_substations_past_the_last_port_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    reported = refusal(capsys, "--substation-port", "65534", "--points", "2,2,2")
    assert "3 substations from 65534 on exceed port 65535" in reported


def test_the_variables_of_the_compose_file_have_its_defaults(
    environment: pytest.MonkeyPatch,
) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    gateway, prometheus = parse_options([]), parse_options([]).ports.prometheus
    assert services["charge_request_service"]["ports"] == [
        f"${{GATEWAY_HOST:-{gateway.gateway_host}}}:${{GATEWAY_PORT:-{gateway.ports.gateway}}}:8080"
    ]
    assert services["prometheus"]["ports"] == [f"127.0.0.1:${{PROMETHEUS_PORT:-{prometheus}}}:9090"]

    environment.setenv("GATEWAY_HOST", "192.0.2.7")
    environment.setenv("GATEWAY_PORT", "18600")
    environment.setenv("PROMETHEUS_PORT", "19090")
    options = parse_options([])
    assert options.gateway_host == "192.0.2.7"
    assert (options.ports.gateway, options.ports.prometheus) == (18600, 19090)

    environment.setenv("GATEWAY_HOST", "")  # as `${GATEWAY_HOST:-...}` takes it
    environment.setenv("GATEWAY_PORT", "")
    assert parse_options([]) == parse_options(["--prometheus-port", "19090"])


def test_an_option_comes_before_its_variable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("GATEWAY_PORT", "nonsense")
    environment.setenv("GATEWAY_HOST", "192.0.2.7")
    options = parse_options(["--gateway-port", "18601", "--gateway-host", "[::1]"])
    assert (options.ports.gateway, options.gateway_host) == (18601, "::1")


@pytest.mark.parametrize("count", ["0", "17", "-1", "two", "1.5"])
def test_a_number_of_balancers_that_is_none_is_named(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reported = refusal(capsys, f"--balancers={count}")
    assert f"--balancers: {count!r}: it takes a number from 1 to 16" in reported


@pytest.mark.parametrize("ledger", [None, "sqlite:///ledger.sqlite"])
def test_several_gateways_need_a_ledger_that_they_can_share(
    ledger: str | None, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if ledger:
        environment.setenv("LEDGER_URL", ledger)
    assert "set LEDGER_URL=postgresql://" in refusal(capsys, "--gateways", "2")


def test_several_gateways_listen_on_loopback_only(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("LEDGER_URL", "postgresql:///ledger")
    reported = refusal(capsys, "--gateways", "2", "--gateway-host", "192.0.2.7")
    assert "not on 192.0.2.7" in reported
    options = parse_options(["--gateways", "2", "--balancers", "3"])
    assert (options.gateways, options.balancers) == (2, 3)
    assert options.ledger_url == "postgresql:///ledger"
