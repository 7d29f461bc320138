"""A running balancer among substations that attack it: every vehicle is charged at the honest one.

A few attackers at a time: a substation is chosen again after each good poll, and a vehicle that
meets bad substations only pauses for longer each time.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack

import pytest
import requests

from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import start_balancer, substations, wait_for_health
from tests.support.fleet import Fleet
from tests.support.hostile_answers import BOMB, GARBAGE, MUDDLE
from tests.support.memory import Memory
from tests.support.raw_substation import GAUGES, Bytes, http, raw_substation

AT_ONCE = 10
VEHICLES = 30
# Each attacker is good for a page of 1 MB that is read and parsed.
MAX_GROWTH_MB = 32
SLOWEST_S = 3
PAGES = {
    **GARBAGE,
    **MUDDLE,
    "a compression bomb": BOMB,
    "a redirect": http(b"", b"Content-Length: 0", b"Location: /elsewhere", status=b"302 Found"),
    "a gauge with 100,000 labels": http(
        GAUGES + b"substation_current_load{" + b'x="y",' * 100_000 + b"} 0\n"
    ),
    "a load of 10^400": http(b"substation_current_load 1%0400d\nsubstation_capacity 4\n" % 0),
    "a name of 900,000 letters": http(b"substation_current_load" + b"a" * 900_000 + b" 0\n"),
}


def groups(attacks: Mapping[str, Bytes]) -> list[object]:
    """Deal the attacks out, `AT_ONCE` to a test."""
    names = list(attacks)
    dealt = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]
    return [pytest.param([attacks[name] for name in some], id=", ".join(some)) for some in dealt]


@pytest.mark.parametrize("attacks", groups(GARBAGE))
def test_vehicles_are_charged_while_substations_answer_a_charge_with_an_attack(
    start_service: StartService, attacks: list[Bytes]
) -> None:
    honest = start_service("substation_service", CHARGING_POINTS=10, TIME_SCALE=3600)
    with ExitStack() as stack:
        hostile = [stack.enter_context(raw_substation(attack)) for attack in attacks]
        balancer = start_balancer(start_service, honest.url, *(one.url for one in hostile))
        for number in range(1, len(hostile) + 2):
            wait_for_health(balancer, f"substation{number}", "up", within_s=15)
        memory = Memory(balancer)

        fleet = Fleet(balancer.url, kwh=3).send(VEHICLES)
        slowest_s = slowest_answer_s(balancer.url)
        fleet.wait()

        assert all("/charge" in one.asked for one in hostile)
        assert memory.grown_mb < MAX_GROWTH_MB
    assert slowest_s < SLOWEST_S
    assert fleet.statuses() == {200: VEHICLES}, fleet.troubles()
    assert fleet.by_substation() == {"substation1": VEHICLES}
    assert {one["own_load"] for one in substations(balancer).values()} == {0}
    assert scrape(honest.url)['substation_sessions_total{outcome="charged"}'] == VEHICLES


@pytest.mark.parametrize("attacks", groups(PAGES))
def test_vehicles_are_charged_while_the_page_of_substations_is_an_attack(
    start_service: StartService, attacks: list[Bytes]
) -> None:
    honest = start_service("substation_service", CHARGING_POINTS=10, TIME_SCALE=3600)
    with ExitStack() as stack:
        hostile = [stack.enter_context(raw_substation(metrics=[page])) for page in attacks]
        balancer = start_balancer(start_service, honest.url, *(one.url for one in hostile))
        wait_for_health(balancer, "substation1", "up", within_s=15)
        memory = Memory(balancer)

        fleet = Fleet(balancer.url, kwh=3).send(VEHICLES, rate=20)
        slowest_s = slowest_answer_s(balancer.url)
        fleet.wait()

        assert all("/metrics" in one.asked for one in hostile)
        assert memory.grown_mb < MAX_GROWTH_MB
        health = {name: substation["health"] for name, substation in substations(balancer).items()}
    assert slowest_s < SLOWEST_S
    assert fleet.statuses() == {200: VEHICLES}, fleet.troubles()
    assert fleet.by_substation() == {"substation1": VEHICLES}
    assert health == {"substation1": "up"} | {
        f"substation{n}": "down" for n in range(2, len(attacks) + 2)
    }


def slowest_answer_s(url: str, times: int = 10) -> float:
    """Ask ten times a second whether it lives; return its slowest answer."""
    slowest = 0.0
    for _ in range(times):
        began = time.monotonic()
        assert requests.get(f"{url}/healthz", timeout=20).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    return slowest
