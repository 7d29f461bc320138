"""Lying substations in a whole grid: each only harms itself, and no vehicle elsewhere."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.e2e.hostile.honest import Seen, Vehicles
from tests.e2e.hostile.table import Table
from tests.support.balancer import start_balancer, substations, wait_for_health
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.memory import family
from tests.support.raw_substation import CHARGED, GAUGES, Bytes, RawSubstation, http, raw_substation

LASTS_S = 5
LIARS = 3
# Three pages of 25,000 series took half of the balancer's CPU.
MAX_OF_A_CPU = 0.25
MEGABYTE = 950_000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SERIES = GAUGES + b"".join(b'substation_current_load{x="%d"} 0\n' % n for n in range(25_000))
POWER = (
    b"substation_power_kw 5e7\nsubstation_power_limit_kw 1e8\nsubstation_point_power_kw 50\n"
    b"substation_committed_power_kw 5e7\nsubstation_remaining_energy_kwh 1e7\n"
    b"substation_time_scale 3600\n"
)
PAGES = {
    "25,000 series of the gauge": http(SERIES),
    "999 series of the gauge, of 130 characters": http(
        GAUGES
        + b"".join(
            b'substation_current_load{x="%d",%s} 0\n'
            % (n, b",".join(b'%c="1234"' % letter for letter in b"abcdefghij"))
            for n in range(999)
        )
    ),
    "950,000 empty lines": http(b"\n" * MEGABYTE),
    "400,000 chunks of a byte": Bytes(CHUNKED + b"1\r\nx\r\n" * 400_000 + b"0\r\n\r\n"),
    "1,000,000 vehicles and half as many points": http(
        b"substation_current_load 1000000\nsubstation_capacity 500000\n" + POWER
    ),
    "1,000,000 vehicles and one more point": http(
        b"substation_current_load 1000000\nsubstation_capacity 1000001\n" + POWER
    ),
}
ANSWERS = {
    "201": http(CHARGED, status=b"201 Created"),
    "204": Bytes(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "206": http(CHARGED, status=b"206 Partial Content"),
    "299": http(CHARGED, status=b"299 Odd"),
    "Transfer-Encoding: identity, and a length": http(
        CHARGED, b"Transfer-Encoding: identity", b"Content-Length: %d" % len(CHARGED)
    ),
    "Transfer-Encoding: identity, and its end": Bytes(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n" + CHARGED, disconnect=True
    ),
}
PROGRESS = {
    "of 20,000 unknown sessions": [
        http(
            b'{"register": "r", "sessions": {%s}}'
            % b",".join(b'"session-%d": 1e308' % number for number in range(20_000))
        )
    ],
    "of 2 MB": [http(b'{"sessions": {"a": "%s"}}' % (b"x" * 2_000_000))],
    "nested 500,000 deep": [http(b'{"sessions": ' * 500_000)],
    "of invalid energies": [
        http(
            b'{"register": ["r"], "sessions": {"a": -1, "b": null, "c": "1", "d": true, "e": {}}}'
        ),
        http(b'{"register": "", "sessions": {"a": -1e308, "b": 1e308, "c": []}}'),
    ]
    * 100,
    "with new registers each time": [
        http(b'{"register": "%d", "sessions": {"a": %d}}' % (number, number))
        for number in range(1_000)
    ],
}
CLOSES = Bytes(b"", disconnect=True)
POINTS = 10
EMPTY = http(b"substation_current_load 0\nsubstation_capacity %d\n" % POINTS)


class Stage(NamedTuple):
    """A grid with one honest substation, named substation1; the liars follow."""

    gateway: Process
    balancer: Process
    honest: Process

    def vehicles(self) -> Vehicles:
        services = {"gateway": self.gateway, "balancer": self.balancer, "substation": self.honest}
        return Vehicles(self.gateway.url, services)

    def charged(self) -> float:
        return scrape(self.honest.url).get('substation_sessions_total{outcome="charged"}', 0)


@pytest.fixture
def liars() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(start_service: StartService, *lying: RawSubstation) -> Stage:
    honest = start_service("substation_service", CHARGING_POINTS=POINTS, TIME_SCALE=3600)
    balancer = start_balancer(start_service, honest.url, *(one.url for one in lying))
    wait_for_health(balancer, "substation1", "up", within_s=15)
    gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)
    return Stage(gateway, balancer, honest)


def cpu_s(process: Process) -> float:
    """Return the CPU time that a service has taken."""
    ticks = 0
    for pid in family(process.pid):
        after_the_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_the_name[11]) + int(after_the_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def note(table: Table, attack: str, answer: str, attacks: int, seen: Seen) -> None:
    table.row(attack, "balancer", answer, seen.p99_s)
    table.total(f"balancer, {attack}", attacks, max(seen.grown_mb.values()), seen.vehicles)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_dear_to_read_is_dear_to_its_substation_alone(
    start_service: StartService, liars: ExitStack, table: Table, page: str
) -> None:
    lying = [liars.enter_context(raw_substation(metrics=[PAGES[page]])) for _ in range(LIARS)]
    stage = start(start_service, *lying)
    began, spent_s = time.monotonic(), cpu_s(stage.balancer)

    with stage.vehicles() as vehicles:
        time.sleep(LASTS_S)
    seen = vehicles.check()

    share = (cpu_s(stage.balancer) - spent_s) / (time.monotonic() - began)
    assert share < MAX_OF_A_CPU
    note(table, f"{LIARS} pages of {page}", "bounded", sum(len(one.asked) for one in lying), seen)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_vehicle_that_a_substation_took_is_charged_once(
    start_service: StartService, liars: ExitStack, table: Table, answer: str
) -> None:
    lying = [
        liars.enter_context(raw_substation(ANSWERS[answer], metrics=[EMPTY])) for _ in range(LIARS)
    ]
    stage = start(start_service, *lying)
    for number in range(2, LIARS + 2):
        wait_for_health(stage.balancer, f"substation{number}", "up")

    with stage.vehicles() as vehicles:
        time.sleep(LASTS_S)
    seen = vehicles.check()

    elsewhere = sum(one.asked.count("/charge") for one in lying)
    assert elsewhere > LASTS_S
    assert stage.charged() + elsewhere == seen.vehicles
    note(table, f"{answer} to a charge", "charged once", elsewhere, seen)


@pytest.mark.parametrize("reported", PROGRESS)
def test_progress_that_is_a_lie_is_dear_to_its_substation_alone(
    start_service: StartService, liars: ExitStack, table: Table, reported: str
) -> None:
    lying = [
        liars.enter_context(raw_substation(metrics=[EMPTY], progress=PROGRESS[reported]))
        for _ in range(LIARS)
    ]
    stage = start(start_service, *lying)
    for number in range(2, LIARS + 2):
        wait_for_health(stage.balancer, f"substation{number}", "up")
    began, spent_s = time.monotonic(), cpu_s(stage.balancer)

    with stage.vehicles() as vehicles:
        time.sleep(LASTS_S)
    seen = vehicles.check()

    share = (cpu_s(stage.balancer) - spent_s) / (time.monotonic() - began)
    assert share < MAX_OF_A_CPU
    elsewhere = sum(one.asked.count("/charge") for one in lying)
    assert elsewhere > LASTS_S
    assert stage.charged() + elsewhere == seen.vehicles
    asked = [one.asked.count("/progress") for one in lying]
    assert min(asked) > 0
    note(table, f"{LIARS} /progress {reported}", "charged once", sum(asked), seen)


def test_a_connection_that_closes_as_a_charge_is_sent_costs_nobody_anything(
    start_service: StartService, liars: ExitStack, table: Table
) -> None:
    closing = [http(CHARGED), CLOSES] * 500  # every kept connection is closed by the next charge
    lying = [liars.enter_context(raw_substation(*closing, metrics=[EMPTY])) for _ in range(LIARS)]
    stage = start(start_service, *lying)
    for number in range(2, LIARS + 2):
        wait_for_health(stage.balancer, f"substation{number}", "up")

    with stage.vehicles() as vehicles:
        time.sleep(LASTS_S)
    seen = vehicles.check()

    assert {session.document["attempts"] for session in vehicles.fleet.sessions} == {1}
    ejections = [n for name, n in scrape(stage.balancer.url).items() if "ejections_total{" in name]
    assert set(ejections) == {0}
    closed = sum(one.asked.count("/charge") for one in lying) + stage.charged() - seen.vehicles
    assert closed > LASTS_S
    note(table, "connections closed as a charge is sent", "charged once", int(closed), seen)


def test_answers_that_drip_hold_their_own_vehicles_alone(
    start_service: StartService, liars: ExitStack, table: Table
) -> None:
    each = 130
    victims = LIARS * each
    drip = Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x", forever_every_s=0.1)
    gauges = b"substation_current_load 0\nsubstation_capacity %d\n" % each
    lying = [
        liars.enter_context(raw_substation(drip, metrics=[http(gauges)])) for _ in range(LIARS)
    ]
    stage = start(start_service, *lying)
    for number in range(2, LIARS + 2):
        wait_for_health(stage.balancer, f"substation{number}", "up")
    Fleet(stage.gateway.url, kwh=250).send(victims + POINTS)  # for 5 s at the honest one

    def only_liars_hold_vehicles() -> None:
        loads = {name: one["own_load"] for name, one in substations(stage.balancer).items()}
        assert loads.pop("substation1") == 0
        assert set(loads.values()) == {each}

    eventually(only_liars_hold_vehicles, within_s=30)
    began, spent_s = time.monotonic(), cpu_s(stage.balancer)

    with stage.vehicles() as vehicles:
        time.sleep(LASTS_S)
    seen = vehicles.check()

    share = (cpu_s(stage.balancer) - spent_s) / (time.monotonic() - began)
    assert share < MAX_OF_A_CPU
    note(table, f"{victims} responses of a byte every 0.1 s", "held", victims, seen)


@pytest.mark.parametrize("view", ["decisions", "history"])
def test_callers_that_read_a_whole_view_again_and_again_slow_no_vehicle(
    start_service: StartService, table: Table, view: str
) -> None:
    callers, end, pages = 4, threading.Event(), [0] * 4
    stage = start(start_service)
    Fleet(stage.gateway.url, kwh=0.01).send(1_000, rate=200).wait()

    def read(number: int) -> None:
        with requests.Session() as caller:
            while not end.is_set():
                caller.get(f"{stage.gateway.url}/{view}", timeout=10).raise_for_status()
                pages[number] += 1

    threads = [threading.Thread(target=read, args=(number,)) for number in range(callers)]
    with stage.vehicles() as vehicles:
        for thread in threads:
            thread.start()
        time.sleep(LASTS_S)
        end.set()
        for thread in threads:
            thread.join()
    seen = vehicles.check()

    assert min(pages) > LASTS_S
    attack = f"{callers} callers that read {view} again and again"
    table.row(attack, "gateway", "200", seen.p99_s)
    table.total(f"gateway, {attack}", sum(pages), max(seen.grown_mb.values()), seen.vehicles)
