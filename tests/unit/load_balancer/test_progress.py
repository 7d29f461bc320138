"""However many sessions a substation reports, it blocks nobody else."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from random import Random

import gevent
import orjson
import pytest

from grid_common.api.charge import Session
from grid_common.http.client import ProtocolError, ResponseTooLarge
from load_balancer.led_session import LedSession
from load_balancer.progress import Progress
from load_balancer.registers import Registers
from load_balancer.routing.health import Health, HealthCheck
from load_balancer.routing.legs import Legs
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation
from load_balancer.substation_client import SubstationClient
from load_balancer.turns import Turns
from tests.support.logs import service_log
from tests.support.raw_substation import Bytes, http, raw_substation
from tests.unit.load_balancer.parts import client_at, registers_of
from tests.unit.load_balancer.routing.grid import Grid

OFTEN = HealthCheck(interval_s=0.01)


ClientOf = Callable[..., SubstationClient]


def progress_of(sessions: dict[str, float], **members: object) -> Bytes:
    return http(orjson.dumps({"sessions": sessions, **members}))


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """Return the client of a substation that answers each request with the same registers."""
    with ExitStack() as stack:

        def start(sessions: dict[str, float], **members: object) -> SubstationClient:
            progress = [progress_of(sessions, **members)]
            client = client_at(stack.enter_context(raw_substation(progress=progress)).url)
            stack.callback(client.close)
            return client

        yield start


def ask_for(seconds: float, client: SubstationClient, substation: Substation, pool: Pool) -> None:
    """Have a balancer ask a substation for its sessions' progress for a while."""
    registers = registers_of(pool, client, timeout_s=5, last_word_wait_s=0)
    progress = Progress(substation, client, pool, registers, random=Random(1), log=service_log())
    asks = Turns(progress.take_turn)
    asks.start()
    gevent.sleep(seconds)
    asks.stop()


def reported(sessions: int) -> dict[str, float]:
    return {f"{number:064}": 1.5 for number in range(sessions)}


def test_the_largest_progress_of_our_own_substation_is_read(client_of: ClientOf) -> None:
    assert client_of(reported(13_000)).progress(10) == reported(13_000)


@pytest.mark.parametrize("age_s", [None, "1", -0.5, True, [1]])
def test_an_age_that_is_none_is_not_read(age_s: object, client_of: ClientOf) -> None:
    client = client_of({"s1": 1.5}, age_s=age_s)

    with pytest.raises(ProtocolError, match="age_s"):
        client.progress(10)


@pytest.mark.parametrize(
    ("sessions", "error"),
    [
        ({str(number): 0.0 for number in range(20_001)}, ProtocolError),
        (reported(40_000), ResponseTooLarge),
    ],
)
def test_more_than_any_has_is_not_read(
    sessions: dict[str, float], error: type[ProtocolError], client_of: ClientOf
) -> None:
    client = client_of(sessions)

    with pytest.raises(error):
        client.progress(10)


def test_one_whose_registers_take_long_to_read_is_asked_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid, steps = Grid(4, health_check=OFTEN), count()
    monkeypatch.setattr(time, "thread_time", lambda: 0.02 * next(steps))  # each reading takes 20 ms

    with raw_substation(progress=[progress_of(reported(10))]) as substation:
        client = client_at(substation.url)
        ask_for(0.5, client, grid.substation("a"), grid.pool)
        client.close()

    assert len(substation.asked) == 1


@pytest.mark.parametrize("health", [Health.UP, Health.DRAINING])
def test_one_that_answers_polls_alone_is_taken_to_keep_no_registers(health: Health) -> None:
    grid = Grid(4, health_check=OFTEN)
    substation = grid.substation("a")
    substation.health = health
    with socket.socket() as unheard:  # bound, and nobody listens
        unheard.bind(("127.0.0.1", 0))
        client = client_at(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        ask_for(0.3, client, substation, grid.pool)

    assert client.keeps_registers is False


def lead(registers: Registers) -> LedSession:
    """Have the balancer lead the durable session s1, which asks for 4 kWh."""
    led = LedSession(
        Session("s1", "EV-1", 4.0, None, None, None),
        request_id="r",
        wait_s=9,
        grace_s=60,
        on_revoked=registers.revoked,
    )
    registers.sessions.running["s1"] = led
    return led


@pytest.mark.parametrize("charges_there", [True, False])
def test_registers_whose_id_becomes_known_later_are_not_counted_twice(
    charges_there: bool, client_of: ClientOf
) -> None:
    grid, client = Grid(4), client_of({"s1": 2.5}, register="id")
    substation = grid.substation("a")
    registers = registers_of(grid.pool, client, timeout_s=5, last_word_wait_s=0)
    led = lead(registers)
    if charges_there:
        led.legs.begin(client.register, "a", 0.0)
    else:  # it was asked for after this balancer's start
        led.legs.update(client.register, 2.0, 0.0, "a")

    registers.refresh(client, substation)

    assert client.register == "id"
    assert led.legs.delivered_kwh == 2.5
    assert len(led.legs) == 1
    assert led.legs.current == ("id" if charges_there else None)
    assert led.legs.target_kwh("id") == 4.0


@pytest.mark.parametrize(("keeps", "reserved_kwh"), [(None, 4.0), (True, 4.0), (False, 0.0)])
def test_what_may_flow_at_a_substation_that_is_lost_before_its_registers_are_known_is_reserved(
    keeps: bool | None, reserved_kwh: float, client_of: ClientOf
) -> None:
    grid = Grid(4)
    client = client_of({})
    client.keeps_registers = keeps
    registers = registers_of(grid.pool, client, timeout_s=0.1, last_word_wait_s=9)
    led = lead(registers)
    grid.pool.arrive(led.queued, grid.now)
    led.legs.begin(client.register, "a", time.monotonic())

    registers.revoked(led, grid.dispatch_of(led.queued))

    assert led.legs.reserved_kwh == reserved_kwh


def test_progress_is_taken_to_be_as_old_as_it_says(client_of: ClientOf) -> None:
    grid = Grid(4)
    substation = grid.substation("a")
    client = client_of({"s1": 1.5}, register="id", age_s=2.5)
    registers = registers_of(grid.pool, client, timeout_s=1, last_word_wait_s=9)
    led = lead(registers)
    began = time.monotonic()
    led.legs.begin(client.register, "a", began - 10)

    registers.refresh(client, substation)

    leg = led.legs.leg("id")
    assert leg is not None
    assert leg.kwh == 1.5
    assert began - 2.5 <= leg.reported_at < began - 2


def test_a_lease_begins_with_the_last_sign_of_life_however_old_the_progress_was(
    client_of: ClientOf,
) -> None:
    grid = Grid(4)
    grid.poll("a", point_power_kw=3.6, time_scale=1000)  # 1 kWh a second
    substation = grid.substation("a")
    client = client_of({"s1": 1.0}, register="id", age_s=2.5)
    registers = registers_of(grid.pool, client, timeout_s=1, last_word_wait_s=9)
    led = lead(registers)
    led.legs = Legs(100.0)
    grid.pool.arrive(led.queued, grid.now)
    led.legs.begin(client.register, "a", time.monotonic() - 10)
    registers.refresh(client, substation)

    registers.revoked(led, grid.dispatch_of(led.queued))

    assert led.legs.reserved_kwh == pytest.approx(5.5, abs=0.3)
