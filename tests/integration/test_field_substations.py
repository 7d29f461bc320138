"""Substations as others build them, behind the real balancer."""

import gzip
import time

import pytest
import requests

from local_stack.grid import Ports
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.integration.conftest import StartFieldSubstation
from tests.support.balancer import (
    start_balancer,
    start_ready_balancer,
    substations,
    wait_for_health,
)
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.raw_substation import CHARGED, GAUGES, Bytes, http, raw_substation


def test_a_substation_with_another_gauge_on_another_port_is_as_good(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    metrics_port = Ports.free(0).balancer
    substation = start_field_substation(
        metrics_port=metrics_port, page="# HELP x y\nev_charging_load {load}\nsubstation_load 9\n"
    )
    balancer = start_balancer(
        start_service,
        substation.url,
        GAUGE_NAME="ev_charging_load",
        METRICS_PORT=metrics_port,
        DEFAULT_CAPACITY=5,
    )
    wait_for_health(balancer, "substation1", "up")

    fleet = Fleet(balancer.url, kwh=3).send(5).wait()

    assert fleet.statuses() == {200: 5}
    assert fleet.sessions[0].document["kwh"] == 3
    assert fleet.sessions[0].document["substation"] == "substation1"
    target = requests.get(f"{balancer.url}/targets", timeout=5).json()[0]
    assert target["targets"] == [f"127.0.0.1:{metrics_port}"]


def test_a_session_that_outlives_its_202_answer_counts_until_the_gauge_shows_it(
    start_service: StartService, start_field_substation: StartFieldSubstation
) -> None:
    substation = start_field_substation(
        page="ev_charging_load {load}\n", charge_status=202, charge_s=3
    )
    balancer = start_balancer(
        start_service,
        substation.url,
        GAUGE_NAME="ev_charging_load",
        DEFAULT_CAPACITY=2,
        POLL_INTERVAL=0.3,
    )
    wait_for_health(balancer, "substation1", "up")

    fleet = Fleet(balancer.url).send(2).wait()
    third = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=1"}, timeout=10)
    fourth = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=5"}, timeout=10)

    assert fleet.statuses() == {202: 2}
    assert {session.document["status"] for session in fleet.sessions} == {"charging"}
    assert third.status_code == 503
    assert fourth.status_code == 202


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"page": "ev_charging_load NaN\n"}, "NaN"),
        ({"page": "ev_charging_load -1\n"}, "-1"),
        ({"page": "something_else 3\n"}, "no ev_charging_load"),
        ({"page": "ev_charging_load {{{\n"}, "not Prometheus text"),
        ({"page": "<html>\n", "page_times": 200_000}, "over 1000000 bytes (MAX_METRICS_BYTES)"),
        ({"page_delay_s": 30}, "no response within"),
        ({"page_drip_s": 0.5}, "no response within"),
    ],
    ids=["NaN", "negative", "missing", "garbled", "huge", "frozen", "dripping"],
)
def test_a_substation_whose_gauge_cannot_be_read_is_unhealthy_and_never_taken_for_empty(
    start_service: StartService,
    start_field_substation: StartFieldSubstation,
    behaviour: dict[str, object],
    reason: str,
) -> None:
    substation = start_field_substation(**behaviour)
    balancer = start_balancer(
        start_service, substation.url, GAUGE_NAME="ev_charging_load", DEFAULT_CAPACITY=5
    )

    state = wait_for_health(balancer, "substation1", "down")

    assert reason.lower() in state["reason"].lower()
    answer = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=0.5"}, timeout=10)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"charge_status": 500}, "error"),
        ({"raw_answer": "nonsense\r\n\r\n"}, "garbled"),
        ({"raw_answer": ""}, "reset"),
        ({"raw_answer": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}, "reset"),
        ({"charge_status": 404}, "rejected"),
    ],
    ids=["500", "garbage", "nothing", "half an answer", "404"],
)
def test_a_vehicle_is_sent_to_another_substation_when_one_fails_it(
    start_service: StartService,
    start_field_substation: StartFieldSubstation,
    behaviour: dict[str, object],
    reason: str,
) -> None:
    gauges = "substation_current_load 0\nsubstation_capacity 100\n"
    bad = start_field_substation(page=gauges, **behaviour)
    good = start_service("substation_service", CHARGING_POINTS=2, TIME_SCALE=3600)
    balancer = start_ready_balancer(start_service, bad.url, good.url)

    answer = requests.post(f"{balancer.url}/charge", timeout=10).json()

    assert answer["substation"] == "substation2"
    assert answer["attempts"] == 2
    metrics = scrape(balancer.url)
    assert metrics[f'balancer_failovers_total{{reason="{reason}"}}'] == 1
    assert metrics['balancer_dispatches_total{outcome="charged",substation="substation2"}'] == 1


@pytest.mark.parametrize("status", [200, 201, 203, 204, 206, 299])
def test_a_vehicle_that_a_substation_took_with_any_2xx_is_charged_once(
    start_service: StartService, start_field_substation: StartFieldSubstation, status: int
) -> None:
    gauges = "substation_current_load {load}\nsubstation_capacity 4\nsessions_total {charged}\n"
    taker, other = (start_field_substation(page=gauges, charge_status=status) for _ in range(2))
    balancer = start_ready_balancer(start_service, taker.url, other.url)

    answer = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=2"}, timeout=10)

    assert answer.status_code == 200
    assert answer.json()["attempts"] == 1
    assert scrape(taker.url)["sessions_total"] + scrape(other.url)["sessions_total"] == 1


def test_a_full_substation_is_not_taken_to_drain_for_what_its_answer_quotes(
    start_service: StartService,
) -> None:
    urn = "urn:ev-grid:problem:draining"
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=360)
    balancer = start_ready_balancer(start_service, substation.url, POLL_INTERVAL=30)
    foreign = Fleet(substation.url, kwh=20).send(1)  # 4 s, and the balancer does not poll meanwhile

    def is_full() -> None:
        assert scrape(substation.url)["substation_current_load"] == 1

    eventually(is_full)

    answer = requests.post(
        f"{balancer.url}/charge", json={"session_id": urn}, headers={"Prefer": "wait=0"}, timeout=10
    )

    assert answer.status_code == 503
    assert substations(balancer)["substation1"]["health"] == "up"
    assert foreign.wait().statuses() == {200: 1}


def test_a_large_page_is_read_where_the_setting_allows_it(start_service: StartService) -> None:
    with raw_substation(metrics=[http(GAUGES + b"some_other 1\n" * 100_000)]) as substation:
        balancer = start_balancer(start_service, substation.url, MAX_METRICS_BYTES=2_000_000)
        wait_for_health(balancer, "substation1", "up")


def test_a_page_that_comes_compressed_is_read(start_service: StartService) -> None:
    packed = gzip.compress(GAUGES)
    headers = (b"Content-Encoding: gzip", b"Content-Length: %d" % len(packed))
    with raw_substation(metrics=[http(packed, *headers)]) as substation:
        balancer = start_balancer(start_service, substation.url)
        assert wait_for_health(balancer, "substation1", "up")["capacity"] == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(b"who?", status=b"401 No"), "its page answered 401 Unauthorized: it wants a passw"),
        (
            http(b"", b"Content-Length: 0", b"Location: /new/metrics", status=b"301 Moved"),
            "its page redirects to '/new/metrics' (301 Moved Permanently)",
        ),
        (http(b"<html>Hello"), "no substation_current_load; it begins '<html>Hello'"),
    ],
    ids=["401", "301", "HTML"],
)
def test_a_page_that_is_none_is_reported_apart(
    start_service: StartService, answer: Bytes, reason: str
) -> None:
    with raw_substation(metrics=[answer]) as substation:
        balancer = start_balancer(start_service, substation.url)
        assert reason in wait_for_health(balancer, "substation1", "down")["reason"]


def test_a_page_that_is_dear_to_read_is_read_less_often(start_service: StartService) -> None:
    series = b"".join(
        b'substation_current_load{point="%d",%s} 0\n'
        % (n, b",".join(b'%c="1"' % i for i in b"abcdefgh"))
        for n in range(999)
    )
    dear_page = http(series + b"substation_capacity 4\n")
    with raw_substation(metrics=[dear_page]) as dear, raw_substation() as cheap:
        start_ready_balancer(start_service, dear.url, cheap.url, POLL_INTERVAL=0.1)
        already = len(dear.asked), len(cheap.asked)
        time.sleep(3)
        polls = len(dear.asked) - already[0], len(cheap.asked) - already[1]

    assert polls[1] > 15
    assert 0 < polls[0] < polls[1] / 2


def test_an_answer_that_begins_at_once_may_end_when_the_vehicle_is_charged(
    start_service: StartService,
) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(CHARGED)
    head = b"HTTP/1.1 200 OK\r\n" + length
    held = Bytes(head, later=CHARGED, later_s=11)
    with raw_substation(held) as substation, raw_substation(held) as other:
        balancer = start_ready_balancer(start_service, substation.url, other.url)

        answer = requests.post(f"{balancer.url}/charge", timeout=20)

        assert answer.status_code == 200
        assert answer.json()["attempts"] == 1
        assert [*substation.asked, *other.asked].count("/charge") == 1
        assert substations(balancer)["substation1"]["health"] == "up"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            http(b"", b"Content-Length: 0", b"Location: /v2/charge", status=b"307 Go"),
            "redirects to '/v2/charge' (307 Temporary Redirect), which is not followed",
        ),
        (
            http(b"", b"Content-Length: 0", b"Location: https://there/", status=b"301 Go"),
            "redirects to 'https://there/' (301 Moved Permanently), which is not followed",
        ),
        (http(b"who?", status=b"401 No"), "answered 401 Unauthorized: it wants a password"),
    ],
    ids=["307", "301", "401"],
)
def test_a_substation_that_leads_elsewhere_or_wants_a_password_is_reported_apart(
    start_service: StartService, answer: Bytes, words: str
) -> None:
    with raw_substation(answer, http(CHARGED)) as substation:
        balancer = start_ready_balancer(start_service, substation.url)

        refused = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=0"}, timeout=10)

        assert refused.status_code == 503
        assert f"substation1 {words}" in refused.json()["detail"]
        assert (
            f"no charge succeeds there: it {words}"
            in substations(balancer)["substation1"]["warning"]
        )
        wait_for_health(balancer, "substation1", "up")
        charged = requests.post(f"{balancer.url}/charge", json={"kwh": 1e-6}, timeout=10)
        assert charged.status_code == 200
        assert substations(balancer)["substation1"]["warning"] is None


HALF = Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")


def test_half_an_answer_is_waited_for_until_polls_go_unanswered(
    start_service: StartService,
) -> None:
    large, silent = http(GAUGES.replace(b"4", b"100")), Bytes(b"")
    with raw_substation(HALF, metrics=[large] * 4 + [silent]) as lost, raw_substation() as other:
        balancer = start_ready_balancer(start_service, lost.url, other.url)

        answer = requests.post(f"{balancer.url}/charge", timeout=30).json()

        assert (answer["substation"], answer["attempts"]) == ("substation2", 2)
        assert lost.asked.count("/charge") == 1


def test_half_an_answer_is_waited_for_until_the_caller_disconnects(
    start_service: StartService,
) -> None:
    with raw_substation(HALF) as substation:
        balancer = start_ready_balancer(start_service, substation.url)

        with pytest.raises(requests.Timeout):
            requests.post(f"{balancer.url}/charge", timeout=1)

        def is_free() -> None:
            assert substations(balancer)["substation1"]["own_load"] == 0

        eventually(is_free)
        assert substations(balancer)["substation1"]["health"] == "up"
