"""Failures around the containers: network, names, memory, and monitoring."""

import time

import pytest

from local_stack.faults import kill
from tests.e2e.compose.stack import docker
from tests.e2e.faults.compose.containers import Containers, run
from tests.e2e.faults.scene import LEASE_KWH, Scene
from tests.support.deadline import eventually

_HOLD_S = 4
_LIMIT_MB = 512  # of a substation in docker-compose.yml


def test_everybody_is_charged_once_when_a_substation_is_disconnected(
    scene: Scene, world: Containers
) -> None:
    scene.play(
        f"substation2 disconnected from the network for {_HOLD_S} s",
        lambda: world.part("substation2").disconnect(_HOLD_S),
        early_kwh=50,  # those at the substation charge on; none is done before it is back
        most_over_kwh=LEASE_KWH,
    )


def test_everybody_is_charged_once_while_names_are_not_found(
    scene: Scene, world: Containers
) -> None:
    balancer = world.part("balancer").name
    file = run("inspect", "--format", "{{.ResolvConfPath}}", balancer).strip()

    def write(lines: str) -> None:
        # Docker mounts this file of the host's into the container.
        run(
            *("run", "--rm", "--volume", f"{file}:/resolv.conf", "python:3.13-slim"),
            *("python", "-c", "import sys; open('/resolv.conf', 'w').write(sys.argv[1])", lines),
        )

    known = run("exec", balancer, "cat", "/etc/resolv.conf")

    def is_down() -> None:
        write("nameserver 192.0.2.1\noptions timeout:1 attempts:1\n")  # nobody is there
        time.sleep(_HOLD_S)
        write(known)

    scene.play(f"the balancer's DNS does not respond for {_HOLD_S} s", is_down)
    assert '"name not found"' in docker("logs", balancer).stdout


def test_everybody_is_charged_once_when_a_substation_reaches_its_memory_limit(
    scene: Scene, world: Containers
) -> None:
    substation = world.part("substation2")
    began = int(time.time())

    def starve() -> None:
        substation.limit_memory_to_what_it_uses()
        # Too much, even if a health check ran as the limit was set, and less than the substation
        # uses: the kernel ends the largest process.
        ends = time.monotonic() + _HOLD_S
        while time.monotonic() < ends:
            docker("exec", substation.name, "python", "-c", "b'x' * 16_000_000")
        # Not while it is between its end and its next start.
        eventually(lambda: substation.limit_memory(_LIMIT_MB), 20)

    scene.play(
        f"substation2 cannot allocate memory for {_HOLD_S} s",
        starve,
        early_kwh=50,  # it may die of it at any moment: none of them is done before
    )
    reported = run(
        *("events", "--since", str(began), "--until", str(int(time.time()) + 1)),
        *("--filter", f"container={substation.name}", "--filter", "event=oom"),
    )
    assert reported, "nothing in it met its memory limit"


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_everybody_is_charged_once_while_monitoring_is_down(
    scene: Scene, world: Containers, service: str
) -> None:
    if service not in world.stack.services:
        pytest.skip(f"the image of {service} cannot be had")

    def is_back() -> None:
        (container,) = world.stack.containers(service)
        assert container["State"]["Health"]["Status"] == "healthy"

    scene.play(
        f"{service.capitalize()} killed for {_HOLD_S} s", lambda: kill(world.part(service), _HOLD_S)
    )
    eventually(is_back, 60)
