"""Who reaches what: a scan from every network, held to the table in docs/operations.md."""

import json
import re
import socket
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.compose.stack import ROOT, Stack, docker

_SCAN = Path(__file__).with_name("port_scan.py")
_SCAN_TIMEOUT_S = 100
_EVERY_PORT = range(1, 10001)
NETWORKS = ("grid", "public", "monitoring", "bridge")

# A service, or an address, and a port of it.
Door = tuple[str, int]


def reported(network: str) -> set[Door]:
    """Read a row of the table in docs/operations.md: what can be reached from a network."""
    text = (ROOT / "docs" / "operations.md").read_text()
    row = re.search(rf"^\| `{network}` \|([^|]*)\|", text, re.MULTILINE)
    assert row, f"docs/operations.md does not tell what a container on {network} reaches"
    return {(name, int(port)) for name, port in re.findall(r"`([a-z0-9_]+):(\d+)`", row[1])}


def addresses(stack: Stack) -> dict[str, str]:
    """Return every address that a container of the stack has, on any network, and its service."""
    return {
        network["IPAddress"]: container["Config"]["Labels"]["com.docker.compose.service"]
        for container in stack.containers()
        for network in container["NetworkSettings"]["Networks"].values()
    }


def machine_addresses() -> list[str]:
    """List this machine's own addresses but loopback, those towards its containers among them."""
    return [
        one.address
        for interface in psutil.net_if_addrs().values()
        for one in interface
        if one.family == socket.AF_INET and not one.address.startswith("127.")
    ]


def scan(stack: Stack, network: str, targets: Collection[str], ports: range) -> set[Door]:
    """Return what opens to a new container on a network, as addresses and ports."""
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "-i", "--ulimit", "nofile=20000"),
            *("--network", network if network == "bridge" else f"{stack.project}_{network}"),
            *("--entrypoint", "python", stack.image("charge_request_service")),
            *("-", f"{ports[0]}-{ports[-1]}", *targets),
        ],
        input=_SCAN.read_text(),
        capture_output=True,
        text=True,
        check=False,
        timeout=_SCAN_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return {(address, port) for address, port in json.loads(done.stdout)}


@pytest.mark.parametrize("network", NETWORKS)
def test_a_container_reaches_what_the_docs_say_and_nothing_else(stack: Stack, network: str) -> None:
    services = addresses(stack)

    doors = scan(stack, network, services, _EVERY_PORT)

    running = set(services.values())
    assert {(services[address], port) for address, port in doors} == {
        door for door in reported(network) if door[0] in running
    }


def test_what_is_published_answers_on_loopback_alone(stack: Stack) -> None:
    services = ["gateway", "prometheus"] + ["grafana"] * ("grafana" in stack.services)
    for service in services:
        port = stack.ports[service]
        socket.create_connection(("127.0.0.1", port), 2).close()
        for address in machine_addresses():
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, port), 2)
        for network in NETWORKS:
            assert scan(stack, network, machine_addresses(), range(port, port + 1)) == set()


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine that is open on all of its addresses."""
    with socket.create_server(("", 0), backlog=64) as server:
        yield server.getsockname()[1]


def test_the_grid_has_no_way_out(stack: Stack, listener: int) -> None:
    machine = machine_addresses()

    def reached(network: str) -> set[str]:
        doors = scan(stack, network, machine, range(listener, listener + 1))
        return {address for address, _ in doors}

    (grid,) = json.loads(docker("network", "inspect", f"{stack.project}_grid").stdout)
    own_end = {config["Gateway"] for config in grid["IPAM"]["Config"]}

    assert reached("public") - own_end  # so the probe works
    assert reached("grid") <= own_end  # the machine's other addresses stand for the outside
