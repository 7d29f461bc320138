"""Sessions that outlive their connection, at a substation over real HTTP."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.conftest import StartService
from tests.support.deadline import eventually
from tests.support.sessions_at import DURABLE, Site


def test_a_durable_session_goes_on_without_its_connection_and_is_attached_to(
    start_service: StartService,
) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=360))  # 10 kWh in 2 s
    began = time.monotonic()
    site.hang_up("s", 10, DURABLE)
    shown = site.show("s")
    assert shown["state"] == "charging"
    assert 0 < shown["energy_kwh"] < 10
    assert shown["power_kw"] == 50

    answers = [site.begin("s", 10, DURABLE) for _ in "abc"]
    documents = [answer.result().json() for answer in answers]

    assert 1.9 < time.monotonic() - began < 4
    assert documents[0]["status"] == "charged"
    assert documents[0]["energy_kwh"] == 10
    assert documents[1:] == documents[:1] * 2
    assert site.charge("s", 10, DURABLE).json() == documents[0]  # at once, the same again
    metrics = site.metrics()
    assert metrics['substation_sessions_total{outcome="charged"}'] == 1
    assert metrics['substation_energy_delivered_kwh_total{outcome="charged"}'] == 10
    assert metrics["substation_meter_kwh"] == 10


def test_a_lower_target_ends_a_session_earlier_and_a_higher_one_goes_on_from_its_register(
    start_service: StartService,
) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=360))
    first = site.begin("s", 100, DURABLE)  # 20 s

    amended = site.charge("s", 10, DURABLE).json()  # 2 s

    assert amended["energy_kwh"] == first.result().json()["energy_kwh"] == 10
    more = site.charge("s", 15, DURABLE).json()
    assert (more["status"], more["energy_kwh"]) == ("charged", 15)
    assert more["charging_s"] == pytest.approx(3, abs=0.3)  # both visits
    assert site.charge("s", 1, DURABLE).json() == more
    below = site.begin("below", 100, DURABLE)
    time.sleep(0.5)
    document = site.charge("below", 0.1, DURABLE).json()
    assert document["status"] == "charged"
    assert 2 < document["energy_kwh"] < 8  # what it had got by then
    assert below.result().json() == document
    assert site.metrics()["substation_meter_kwh"] == 15 + document["energy_kwh"]


def test_a_session_is_stopped_by_id_and_goes_on_where_it_stopped(
    start_service: StartService,
) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=360))
    for headers in ({}, DURABLE):
        session = "durable" if headers else "plain"
        held = site.begin(session, 10, headers)

        stopped = site.stop(session)

        assert stopped.status_code == 200
        document = stopped.json()
        assert document["status"] == "stopped"
        assert document["reason"] == "stopped by its caller"
        assert 0 < document["energy_kwh"] < 10
        assert (held.result().status_code, held.result().json()) == (200, document)
        assert site.stop(session).json() == document
        assert site.metrics()["substation_current_load"] == 0
        rest = site.charge(session, 10, headers).json()
        assert (rest["status"], rest["energy_kwh"]) == ("charged", 10)
        assert "reason" not in rest
    unknown = site.stop("nobody")
    assert unknown.status_code == 404
    assert unknown.headers["Content-Type"] == "application/problem+json"
    assert requests.get(f"{site.process.url}/sessions/nobody", timeout=5).status_code == 404


def test_the_grace_ends_a_session_that_nobody_comes_back_for(start_service: StartService) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=36))  # 10 kWh in 20 s
    site.hang_up("s", 10, {"Session-Grace": "1"})

    def stopped() -> None:
        shown = site.show("s")
        assert (shown["state"], shown["reason"]) == ("stopped", "grace")

    time.sleep(0.7)
    assert site.show("s")["state"] == "charging"
    eventually(stopped, within_s=1)
    assert site.show("s")["energy_kwh"] == pytest.approx(0.65, abs=0.15)  # 0.5 a second


def test_a_lease_ends_a_session_whose_balancer_falls_silent_and_polls_keep_it(
    start_service: StartService,
) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=36))
    terms = {"Session-Owner": "balancer-1", "Session-Lease": "1"}
    held = site.begin("s", 10, terms)
    for _ in range(8):
        time.sleep(0.25)
        site.progress("another")
        assert "s" in site.progress("balancer-1")
    last = site.progress("balancer-1")["s"]

    document = held.result().json()

    assert (document["status"], document["reason"]) == ("stopped", "lease")
    # To the moment of its last word plus the lease, 0.5 kWh a second.
    assert document["energy_kwh"] == pytest.approx(last + 0.5, abs=0.01)


def test_a_substation_that_was_frozen_stopped_delivering_when_the_lease_ended(
    start_service: StartService,
) -> None:
    process = start_service("substation_service", TIME_SCALE=36)
    site = Site(process)
    held = site.begin("s", 10, {"Session-Owner": "b", "Session-Lease": "0.5", **DURABLE})
    last = site.progress("b")["s"]
    process.freeze()
    time.sleep(2)
    process.thaw()

    document = held.result().json()

    assert (document["status"], document["reason"]) == ("stopped", "lease")
    assert document["energy_kwh"] == pytest.approx(last + 0.25, abs=0.01)


def test_a_plain_session_ends_with_its_last_connection(start_service: StartService) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=360))
    site.hang_up("alone", 10)
    eventually(lambda: _is(site, "alone", "stopped", "disconnected"))

    second = []

    def come_back() -> None:
        second.append(site.begin("s", 10))

    with ThreadPoolExecutor() as others:
        gone = others.submit(site.hang_up, "s", 10, after_s=0.6)
        time.sleep(0.2)
        come_back()
        gone.result()
    assert second[0].result().json()["energy_kwh"] == 10
    assert site.metrics()['substation_sessions_total{outcome="charged"}'] == 1


def _is(site: Site, session: str, state: str, reason: str) -> None:
    shown = site.show(session)
    assert (shown["state"], shown["reason"]) == (state, reason)


def test_progress_tells_the_last_word_of_sessions_that_ended_until_it_was_told(
    start_service: StartService,
) -> None:
    site = Site(start_service("substation_service", TIME_SCALE=360))
    site.begin("s", 100, DURABLE)
    assert list(site.progress("b")) == ["s"]
    word = site.stop("s").json()["energy_kwh"]

    assert [site.progress("b") for _ in range(3)] == [{"s": word}, {"s": word}, {}]
    assert site.progress("newcomer") == site.progress() == {"s": word}


def test_sessions_are_listed_in_pages_those_that_charge_first(start_service: StartService) -> None:
    site = Site(start_service("substation_service", CHARGING_POINTS=10, TIME_SCALE=36))
    for number in range(7):
        site.charge(f"ended-{number}", 0.01, DURABLE if number % 2 else {})
    for number in range(5):
        site.begin(f"charging-{number}", 100, DURABLE)

    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = requests.get(
            f"{site.process.url}/sessions",
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
        answer = requests.get(f"{site.process.url}/sessions", params=params, timeout=5)
        assert answer.status_code == 400
        assert [one["field"] for one in answer.json()["errors"]] == list(params)


@pytest.mark.parametrize(
    ("header", "value"),
    [("Session-Grace", "-1"), ("Session-Lease", "soon"), ("Session-Owner", "a b")],
)
def test_a_bad_header_is_refused_by_name(
    start_service: StartService, header: str, value: str
) -> None:
    site = start_service("substation_service")

    answer = requests.post(f"{site.url}/charge", headers={header: value}, timeout=5)

    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["errors"]] == [header]


def test_a_substation_that_drains_finishes_durable_sessions_and_lets_others_attach(
    start_service: StartService,
) -> None:
    process = start_service("substation_service", TIME_SCALE=360)
    site = Site(process)
    site.hang_up("s", 15, DURABLE)  # 3 s
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(process.stop)

        def drains() -> None:
            assert site.metrics()["substation_draining"] == 1

        eventually(drains)
        assert site.charge("new", 1).status_code == 503
        document = site.charge("s", 15, DURABLE).json()
        assert (document["status"], document["energy_kwh"]) == ("charged", 15)
        assert stopping.result() == 0
