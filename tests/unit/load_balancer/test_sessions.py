"""Requests of one session id: which of them wait for the same session."""

from typing import cast

import gevent
from gevent.event import Event
from prometheus_client import CollectorRegistry, Counter

from grid_common.api.charge import Session
from grid_common.api.session_headers import Terms
from grid_common.http.cancellation import Caller
from grid_common.logs import configure_logs
from grid_common.settings import ServiceSettings
from load_balancer.dispatcher import Dispatcher
from load_balancer.led_session import ChargeResult, LedSession
from load_balancer.registers import Registers
from load_balancer.resume import Resume
from load_balancer.sessions import Sessions
from load_balancer.vouchers import Gateways
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
    log = configure_logs("balancer", ServiceSettings.model_validate({"port": 0}))
    pool = Grid(1).pool
    registers = Registers(pool, timeout_s=1, last_word_wait_s=0, lease_s=3, log=log)
    resumed = Counter("resumed", "Sessions resumed", ["how"], registry=CollectorRegistry())
    resume = Resume(pool, registers, resumed=resumed, log=log)
    held = Held()
    sessions = Sessions(cast("Dispatcher", held), registers, resume, Gateways(), log=log)

    def charge(grace_s: float | None) -> "gevent.Greenlet[..., ChargeResult]":
        waits = gevent.spawn(
            sessions.charge,
            SESSION,
            request_id="r",
            wait_s=9,
            caller=Caller(None),
            on=Terms(grace_s=grace_s),
        )
        gevent.sleep(0.01)
        return waits

    durable = charge(60.0)
    plain = charge(None)
    plain.kill()  # its caller disconnected

    assert len(held.led) == 1
    assert registers.find("s1") is held.led[0]
    again = charge(None)
    held.let_go.set()
    assert again.get().status == durable.get().status == "charged"


def test_a_stop_without_any_substation_ends() -> None:
    log = configure_logs("balancer", ServiceSettings.model_validate({"port": 0}))
    pool = Grid().pool
    registers = Registers(pool, timeout_s=1, last_word_wait_s=0.2, lease_s=3, log=log)
    resumed = Counter("resumed", "Sessions resumed", ["how"], registry=CollectorRegistry())
    resume = Resume(pool, registers, resumed=resumed, log=log)

    assert gevent.spawn(resume.stop_everywhere, "s1").get(timeout=5) is None
