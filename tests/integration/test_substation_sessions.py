"""Sessions that outlive their connection, at a substation over real HTTP."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.conftest import StartService
from tests.support.deadline import eventually
from tests.support.sessions_at import DURABLE, Substation


def test_a_durable_session_continues_without_its_connection_and_can_be_attached_to(
    start_service: StartService,
) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=360))  # 10 kWh in 2 s
    began = time.monotonic()
    substation.disconnect("s", 10, DURABLE)
    shown = substation.show("s")
    assert shown["state"] == "charging"
    assert 0 < shown["energy_kwh"] < 10
    assert shown["power_kw"] == 50

    answers = [substation.begin("s", 10, DURABLE) for _ in "abc"]
    documents = [answer.result().json() for answer in answers]

    assert 1.9 < time.monotonic() - began < 4
    assert documents[0]["status"] == "charged"
    assert documents[0]["energy_kwh"] == 10
    assert documents[1:] == documents[:1] * 2
    assert substation.charge("s", 10, DURABLE).json() == documents[0]  # at once, the same again
    metrics = substation.metrics()
    assert metrics['substation_sessions_total{outcome="charged"}'] == 1
    assert metrics['substation_energy_delivered_kwh_total{outcome="charged"}'] == 10
    assert metrics["substation_meter_kwh"] == 10


def test_a_lower_target_ends_a_session_earlier_and_a_higher_one_continues_from_its_register(
    start_service: StartService,
) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=360))
    first = substation.begin("s", 100, DURABLE)  # 20 s

    amended = substation.charge("s", 10, DURABLE).json()  # 2 s

    assert amended["energy_kwh"] == first.result().json()["energy_kwh"] == 10
    more = substation.charge("s", 15, DURABLE).json()
    assert (more["status"], more["energy_kwh"]) == ("charged", 15)
    assert more["charging_s"] == pytest.approx(3, abs=0.3)  # both attempts
    assert substation.charge("s", 1, DURABLE).json() == more
    below = substation.begin("below", 100, DURABLE)
    time.sleep(0.5)
    document = substation.charge("below", 0.1, DURABLE).json()
    assert document["status"] == "charged"
    assert 2 < document["energy_kwh"] < 8  # what it had got by then
    assert below.result().json() == document
    assert substation.metrics()["substation_meter_kwh"] == 15 + document["energy_kwh"]


def test_a_session_is_stopped_by_id_and_continues_where_it_stopped(
    start_service: StartService,
) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=360))
    for headers in ({}, DURABLE):
        session = "durable" if headers else "plain"
        held = substation.begin(session, 10, headers)

        stopped = substation.stop(session)

        assert stopped.status_code == 200
        document = stopped.json()
        assert document["status"] == "stopped"
        assert document["reason"] == "stopped by its caller"
        assert 0 < document["energy_kwh"] < 10
        assert (held.result().status_code, held.result().json()) == (200, document)
        assert substation.stop(session).json() == document
        assert substation.metrics()["substation_current_load"] == 0
        rest = substation.charge(session, 10, headers).json()
        assert (rest["status"], rest["energy_kwh"]) == ("charged", 10)
        assert "reason" not in rest
    unknown = substation.stop("nobody")
    assert unknown.status_code == 404
    assert unknown.headers["Content-Type"] == "application/problem+json"
    assert requests.get(f"{substation.process.url}/sessions/nobody", timeout=5).status_code == 404


def test_the_grace_ends_a_session_to_which_no_caller_returns(start_service: StartService) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=36))  # 10 kWh in 20 s
    substation.disconnect("s", 10, {"Session-Grace": "1"})

    def stopped() -> None:
        shown = substation.show("s")
        assert (shown["state"], shown["reason"]) == ("stopped", "grace")

    time.sleep(0.7)
    assert substation.show("s")["state"] == "charging"
    eventually(stopped, within_s=1)
    assert substation.show("s")["energy_kwh"] == pytest.approx(0.65, abs=0.15)  # 0.5 a second


def test_a_lease_ends_a_session_whose_balancer_falls_silent_and_polls_keep_it(
    start_service: StartService,
) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=36))
    terms = {"Session-Owner": "balancer-1", "Session-Lease": "1"}
    held = substation.begin("s", 10, terms)
    for _ in range(8):
        time.sleep(0.25)
        substation.progress("another")
        assert "s" in substation.progress("balancer-1")
    last = substation.progress("balancer-1")["s"]

    document = held.result().json()

    assert (document["status"], document["reason"]) == ("stopped", "lease")
    # To the moment of its last word plus the lease, 0.5 kWh a second.
    assert document["energy_kwh"] == pytest.approx(last + 0.5, abs=0.01)


def test_a_substation_that_was_frozen_stopped_delivering_when_the_lease_ended(
    start_service: StartService,
) -> None:
    process = start_service("substation_service", TIME_SCALE=36)
    substation = Substation(process)
    held = substation.begin("s", 10, {"Session-Owner": "b", "Session-Lease": "0.5", **DURABLE})
    last = substation.progress("b")["s"]
    process.freeze()
    time.sleep(2)
    process.thaw()

    document = held.result().json()

    assert (document["status"], document["reason"]) == ("stopped", "lease")
    assert document["energy_kwh"] == pytest.approx(last + 0.25, abs=0.01)


def test_a_plain_session_ends_with_its_last_connection(start_service: StartService) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=360))
    substation.disconnect("alone", 10)
    eventually(lambda: _is(substation, "alone", "stopped", "disconnected"))

    second = []

    def come_back() -> None:
        second.append(substation.begin("s", 10))

    with ThreadPoolExecutor() as others:
        gone = others.submit(substation.disconnect, "s", 10, after_s=0.6)
        time.sleep(0.2)
        come_back()
        gone.result()
    assert second[0].result().json()["energy_kwh"] == 10
    assert substation.metrics()['substation_sessions_total{outcome="charged"}'] == 1


def _is(substation: Substation, session: str, state: str, reason: str) -> None:
    shown = substation.show(session)
    assert (shown["state"], shown["reason"]) == (state, reason)


def test_progress_includes_sessions_that_ended_until_they_were_reported(
    start_service: StartService,
) -> None:
    substation = Substation(start_service("substation_service", TIME_SCALE=360))
    substation.begin("s", 100, DURABLE)
    assert list(substation.progress("b")) == ["s"]
    word = substation.stop("s").json()["energy_kwh"]

    assert [substation.progress("b") for _ in range(3)] == [{"s": word}, {"s": word}, {}]
    assert substation.progress("newcomer") == substation.progress() == {"s": word}


def test_sessions_are_listed_in_pages_those_that_charge_first(start_service: StartService) -> None:
    substation = Substation(start_service("substation_service", CHARGING_POINTS=10, TIME_SCALE=36))
    for number in range(7):
        substation.charge(f"ended-{number}", 0.01, DURABLE if number % 2 else {})
    for number in range(5):
        substation.begin(f"charging-{number}", 100, DURABLE)

    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = requests.get(
            f"{substation.process.url}/sessions",
            params={"limit": "3", **({"cursor": cursor} if cursor else {})},
            timeout=5,
        ).json()
        rows += page["sessions"]
        assert len(page["sessions"]) == 3 or page["next"] is None
        cursor = page["next"]
        if cursor is None:
            break

    expected = [f"charging-{number}" for number in (4, 3, 2, 1, 0)]
    expected += [f"ended-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    assert [row["session_id"] for row in rows] == expected
    assert rows[0]["target_kwh"] == 100
    assert rows[0]["predicted_s"] == pytest.approx(200, abs=5)
    for params in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "7"}):
        answer = requests.get(f"{substation.process.url}/sessions", params=params, timeout=5)
        assert answer.status_code == 400
        assert [one["field"] for one in answer.json()["errors"]] == list(params)


@pytest.mark.parametrize(
    ("header", "value"),
    [("Session-Grace", "-1"), ("Session-Lease", "soon"), ("Session-Owner", "a b")],
)
def test_a_bad_header_is_refused_by_name(
    start_service: StartService, header: str, value: str
) -> None:
    substation = start_service("substation_service")

    answer = requests.post(f"{substation.url}/charge", headers={header: value}, timeout=5)

    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == [header]


def test_a_substation_that_drains_finishes_durable_sessions_and_lets_others_attach(
    start_service: StartService,
) -> None:
    process = start_service("substation_service", TIME_SCALE=360)
    substation = Substation(process)
    substation.disconnect("s", 15, DURABLE)  # 3 s
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(process.stop)

        def drains() -> None:
            assert substation.metrics()["substation_draining"] == 1

        eventually(drains)
        assert substation.charge("new", 1).status_code == 503
        document = substation.charge("s", 15, DURABLE).json()
        assert (document["status"], document["energy_kwh"]) == ("charged", 15)
        assert stopping.result() == 0
