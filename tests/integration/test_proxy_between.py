"""HAProxy between gateway and balancer, which closes connections as soon as they are idle."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack.grid import Ports
from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import start_balancer, substations, wait_for_health
from tests.support.fleet import Fleet

HAPROXY = shutil.which("haproxy")
IDLE_S = 0.1
VEHICLES, BURSTS = 250, 50
CONFIG = """
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive {idle_ms}ms
frontend gateway
    bind 127.0.0.1:{port}
    default_backend balancer
backend balancer
    server balancer 127.0.0.1:{to}
"""
StartProxy = Callable[[int], Process]


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[StartProxy]:
    if HAPROXY is None:
        pytest.skip("HAProxy is not installed")
    started: list[Process] = []

    def start(to: int) -> Process:
        port = Ports.free(0).gateway
        config = tmp_path / f"haproxy{len(started)}.cfg"
        config.write_text(CONFIG.format(port=port, to=to, idle_ms=int(IDLE_S * 1000)))
        proxy = Process(
            f"haproxy{len(started)}",
            [str(HAPROXY), "-db", "-f", str(config)],
            env={},
            port=port,
            log=tmp_path / f"haproxy{len(started)}.log",
        )
        started.append(proxy)
        proxy.start()
        proxy.wait_until(lambda: proxy.answers("/healthz"), timeout_s=10)
        return proxy

    yield start
    for proxy in started:
        proxy.kill()


def test_no_vehicle_is_lost_to_a_proxy_that_closes_idle_connections(
    start_service: StartService, start_proxy: StartProxy
) -> None:
    """Each vehicle sets out when the last one's connection has been idle for as long as it may."""
    substation = start_service("substation_service", CHARGING_POINTS=50, TIME_SCALE=1e9)
    to_substation = start_proxy(substation.port)
    balancer = start_balancer(start_service, to_substation.url)
    to_balancer = start_proxy(balancer.port)
    wait_for_health(balancer, "substation1", "up")
    gateway = start_service("charge_request_service", BALANCER_URL=to_balancer.url)

    fleet = Fleet(gateway.url, kwh=0.001)
    for number in range(BURSTS):
        fleet.send(VEHICLES // BURSTS).wait()
        time.sleep(IDLE_S + (number % 11 - 7) / 1000)

    assert fleet.statuses() == {200: VEHICLES}, fleet.troubles()
    assert {session.document["attempts"] for session in fleet.sessions} == {1}
    assert substations(balancer)["substation1"]["health"] == "up"
    assert scrape(balancer.url)[
        'balancer_dispatches_total{outcome="charged",substation="substation1"}'
    ] == (VEHICLES)
