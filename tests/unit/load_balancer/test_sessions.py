"""Requests of one session id: which of them wait for the same session, and what it got where."""

import time
from typing import cast

import gevent
from gevent.event import Event

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from grid_common.http.cancellation import Caller
from grid_common.http.client import ReadError, Upstream
from load_balancer.dispatcher import Dispatcher
from load_balancer.gateway_lease import Gateways
from load_balancer.led_session import ChargeResult, LedSession
from load_balancer.registers import Registers
from load_balancer.resume import Resume
from load_balancer.session_views import session_document
from load_balancer.sessions import Sessions
from load_balancer.substation_client import SessionReport, SubstationClient
from tests.support.logs import service_log
from tests.unit.load_balancer.parts import OWNER, PROFILE, registers_of, resume_of
from tests.unit.load_balancer.routing.grid import Grid

SESSION = Session("s1", "EV-1", 10.0)


class Held:
    """Stands for the dispatcher: sessions charge until they are let go."""

    def __init__(self) -> None:
        self.let_go = Event()
        self.led: list[LedSession] = []

    def lead(self, led: LedSession) -> ChargeResult:
        self.led.append(led)
        self.let_go.wait()
        return ChargeResult("charged", led.session, "a", 1, 0.0, 1.0, {}, [])


def test_a_plain_request_for_a_durable_session_that_runs_waits_for_it_too() -> None:
    pool, held = Grid(1).pool, Held()
    registers = registers_of(pool, last_word_wait_s=0)
    sessions = Sessions(
        cast("Dispatcher", held),
        registers,
        resume_of(pool, registers),
        Gateways(),
        log=service_log(),
    )

    def charge(grace_s: float | None) -> "gevent.Greenlet[..., ChargeResult]":
        waits = gevent.spawn(
            sessions.charge,
            SESSION,
            request_id="r",
            wait_s=9,
            caller=Caller(None),
            terms=Terms(grace_s=grace_s),
        )
        gevent.sleep(0.01)
        return waits

    durable = charge(60.0)
    plain = charge(None)
    plain.kill()  # its caller disconnected

    assert len(held.led) == 1
    assert registers.sessions.find("s1") is held.led[0]
    again = charge(None)
    held.let_go.set()
    assert again.get().status == durable.get().status == "charged"


def recovery(grid: Grid, *clients: SubstationClient) -> tuple[Registers, Resume]:
    """Have a balancer without sessions find again those of before; a client for each substation."""
    registers = registers_of(grid.pool, *clients)
    for client in clients:
        client.keeps_registers = True
    return registers, resume_of(grid.pool, registers)


def test_a_stop_without_any_substation_ends() -> None:
    _, resume = recovery(Grid())

    assert gevent.spawn(resume.stop_everywhere, "s1").get(timeout=5) is None


class Asked(SubstationClient):
    """A substation that has a word of each session, after a while."""

    def __init__(self, word: SessionReport, *, errors: int = 0, answers_in_s: float = 0.0) -> None:
        url = "http://127.0.0.1:9"
        upstream = Upstream(url, connect_timeout_s=1, connections=1)
        super().__init__(url, upstream, PROFILE, OWNER)
        self.word, self.errors, self.answers_in_s = word, errors, answers_in_s
        self.asked_at: list[float] = []

    def ask(self, session_id: str, within_s: float) -> SessionReport | None:
        assert session_id == "s1"
        self.asked_at.append(time.monotonic())
        gevent.sleep(min(self.answers_in_s, within_s))
        if self.errors:
            self.errors -= 1
            raise ReadError("nothing came")
        return self.word

    stop = ask


def test_a_substation_whose_id_becomes_known_while_a_session_is_stopped_is_counted_once() -> None:
    early, late = (
        Asked(SessionReport("charged", 6.0)),
        Asked(SessionReport("charged", 0.0), errors=6),
    )
    _, resume = recovery(Grid(4, 4), early, late)
    early.register, late.register = "http://a", "two"
    stop = gevent.spawn(resume.stop_everywhere, "s1")
    while len(early.asked_at) < 2:
        gevent.sleep(0.01)
    early.register = "one"  # its progress told of it

    told = stop.get(timeout=9)

    assert told is not None
    assert told["energy_kwh"] == 6.0
    assert told["legs"] == [{"substation": "a", "energy_kwh": 6.0}]


def led_by(registers: Registers) -> LedSession:
    return LedSession(SESSION, request_id="r", wait_s=9, grace_s=60, on_revoked=registers.revoked)


def test_a_report_is_as_old_as_its_query_when_a_session_is_searched_for() -> None:
    client = Asked(SessionReport("charging", 1.0, age_s=5), answers_in_s=0.2)
    registers, resume = recovery(Grid(4), client)
    led = led_by(registers)

    gevent.spawn(resume.look_for, led).get(timeout=5)

    (leg,) = [led.legs.leg(client.register)]
    assert leg is not None
    assert client.asked_at[0] - 5.1 < leg.reported_at <= client.asked_at[0] - 5


def test_a_report_is_as_old_as_its_query_when_a_session_is_shown() -> None:
    client, grid = Asked(SessionReport("charging", 1.0, age_s=0.5), answers_in_s=0.2), Grid(4)
    registers, _ = recovery(grid, client)
    led = led_by(registers)
    grid.pool.arrive(led.queued, grid.now)
    led.legs.begin(client.register, "a", time.monotonic() - 1)

    document = gevent.spawn(session_document, led, registers).get(timeout=5)

    leg = led.legs.leg(client.register)
    assert document["energy_kwh"] == 1.0
    assert leg is not None
    assert client.asked_at[0] - 0.6 < leg.reported_at <= client.asked_at[0] - 0.5
