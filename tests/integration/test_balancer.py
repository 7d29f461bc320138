"""The balancer over real HTTP, in front of real substations."""

import json
import threading
import time

import pytest
import requests

from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.balancer import (
    start_balancer,
    start_ready_balancer,
    substations,
    wait_for_health,
)
from tests.support.deadline import eventually
from tests.support.decisions import all_decisions
from tests.support.fleet import Fleet


def test_24_vehicles_at_once_on_three_substations_with_10_points_each_are_all_charged(
    start_service: StartService,
) -> None:
    urls = [start_service("substation_service", CHARGING_POINTS=10).url for _ in range(3)]
    balancer = start_ready_balancer(start_service, *urls)

    fleet = Fleet(balancer.url).send(24).wait()

    assert fleet.statuses() == {200: 24}
    assert set(fleet.by_substation().values()) == {8}
    assert max(session.document["waited_s"] for session in fleet.sessions) == 0


def test_100_vehicles_at_once_never_leave_two_equal_substations_more_than_two_apart(
    start_service: StartService,
) -> None:
    urls = [start_service("substation_service", CHARGING_POINTS=40).url for _ in range(3)]
    balancer = start_ready_balancer(start_service, *urls)

    fleet = Fleet(balancer.url).send(100).wait()

    assert fleet.statuses() == {200: 100}, fleet.troubles()
    decisions = all_decisions(balancer.url)
    assert [one["sequence"] for one in decisions] == list(range(1, 101))
    for one in decisions:
        loads = {candidate["substation"]: candidate["load"] for candidate in one["candidates"]}
        loads[one["substation"]] += 1
        assert max(loads.values()) - min(loads.values()) <= 2, one


def test_a_vehicle_waits_for_a_free_point_and_those_in_line_go_first(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=720)  # 1 s each
    balancer = start_ready_balancer(start_service, substation.url)

    fleet = Fleet(balancer.url).send(5, rate=5).wait()

    assert fleet.statuses() == {200: 5}
    ends = [session.answered for session in fleet.sessions]
    assert ends == sorted(ends)
    waits = [session.document["waited_s"] for session in fleet.sessions]
    assert waits == sorted(waits)
    assert waits[0] == 0 < waits[1]


def test_prefer_wait_shortens_the_wait_and_the_refusal_estimates_when_to_come_back(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=360)
    balancer = start_ready_balancer(start_service, substation.url)
    assert Fleet(balancer.url).send(1).wait().statuses() == {200: 1}  # 2 s: what sessions take here
    fleet = Fleet(balancer.url).send(3)  # one charges, two wait

    def two_wait() -> None:
        assert requests.get(f"{balancer.url}/substations", timeout=5).json()["waiting"] == 2

    eventually(two_wait)
    began = time.monotonic()
    answer = requests.post(f"{balancer.url}/charge", headers={"Prefer": "wait=0"}, timeout=10)

    assert time.monotonic() - began < 1.5
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:ev-grid:problem:deadline"
    assert 4 <= int(answer.headers["Retry-After"]) <= 8  # two before it, 2 s each
    assert fleet.wait().statuses() == {200: 3}
    metrics = scrape(balancer.url)
    assert metrics['balancer_refusals_total{reason="deadline"}'] == 1
    assert metrics["balancer_wait_seconds_count"] == 4


def test_a_line_that_is_full_refuses_at_once(start_service: StartService) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=720)
    balancer = start_ready_balancer(start_service, substation.url, QUEUE_LIMIT=2)

    fleet = Fleet(balancer.url).send(8).wait()

    assert fleet.statuses() == {200: 3, 503: 5}
    refused = [session for session in fleet.sessions if session.status == 503]
    assert {session.document["type"] for session in refused} == {"urn:ev-grid:problem:queue-full"}


def test_a_caller_that_disconnects_in_line_or_at_a_point_leaves_nothing_behind(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=36)
    balancer = start_ready_balancer(start_service, substation.url)

    def give_up() -> None:
        with pytest.raises(requests.Timeout):
            requests.post(f"{balancer.url}/charge", timeout=(1, 1))

    callers = [threading.Thread(target=give_up) for _ in range(3)]  # one charges, two wait
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    def nothing_left() -> None:
        state = requests.get(f"{balancer.url}/substations", timeout=5).json()
        assert state["waiting"] == 0
        assert state["substations"][0]["load"] == 0
        assert scrape(substation.url)["substation_current_load"] == 0

    eventually(nothing_left)
    metrics = scrape(substation.url)
    assert metrics['substation_sessions_total{outcome="aborted"}'] >= 1
    assert metrics['substation_sessions_total{outcome="charged"}'] == 0
    assert Fleet(balancer.url, kwh=0.1).send(1).wait().statuses() == {200: 1}


def test_vehicles_that_came_past_the_balancer_count_as_foreign_load(
    start_service: StartService,
) -> None:
    urls = [
        start_service("substation_service", CHARGING_POINTS=4, TIME_SCALE=150).url for _ in "ab"
    ]
    balancer = start_ready_balancer(start_service, *urls)
    direct = Fleet(urls[0]).send(3)

    def seen() -> None:
        assert substations(balancer)["substation1"]["foreign_load"] == 3

    eventually(seen)
    fleet = Fleet(balancer.url).send(3).wait()

    assert fleet.by_substation() == {"substation2": 3}
    assert direct.wait().statuses() == {200: 3}


def test_a_balancer_that_restarts_sees_the_real_load_within_one_poll(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=4, TIME_SCALE=60)
    balancer = start_ready_balancer(start_service, substation.url)
    direct = Fleet(substation.url).send(3)

    balancer.kill()
    balancer.start()
    balancer.wait_until(lambda: balancer.answers("/readyz"), timeout_s=10)

    assert substations(balancer)["substation1"]["load"] == 3
    assert direct.statuses() == {0: 3}  # charging still


def test_each_decision_is_logged_with_its_candidates(start_service: StartService) -> None:
    urls = [start_service("substation_service", TIME_SCALE=3600).url for _ in "ab"]
    balancer = start_ready_balancer(start_service, *urls)

    session = requests.post(f"{balancer.url}/charge", timeout=10).json()["session_id"]

    lines = [json.loads(line) for line in balancer.log_file.read_text().splitlines()]
    [decision] = [line for line in lines if line["event"] == "dispatched"]
    assert decision["session_id"] == session
    assert decision["substation"] == "substation1"
    assert [one["substation"] for one in decision["candidates"]] == ["substation1", "substation2"]
    assert decision["candidates"][0]["score"] == 0.25
    assert decision["candidates"][0]["gauge_age_s"] >= 0
    assert decision["reason"].startswith("equal predicted finish, least (load + 1) / capacity")


def test_the_balancer_is_ready_only_while_some_substation_can_be_used(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service")
    balancer = start_balancer(start_service, substation.url)
    balancer.wait_until(lambda: balancer.answers("/readyz"), timeout_s=10)

    substation.kill()

    def unready() -> None:
        assert requests.get(f"{balancer.url}/readyz", timeout=5).status_code == 503

    eventually(unready)
    assert requests.get(f"{balancer.url}/healthz", timeout=5).status_code == 200


@pytest.mark.parametrize("substations", [60, 300])
def test_decisions_are_read_page_by_page_however_many_substations_there_are(
    start_service: StartService, substations: int
) -> None:
    # One process at all of the loopback's addresses is a substation at each.
    process = start_service(
        "substation_service",
        BIND_HOST="0.0.0.0",  # noqa: S104 - for the length of a test
        CHARGING_POINTS=1_000,
        TIME_SCALE=1e9,
    )
    urls = [f"http://127.0.{n // 200}.{n % 200 + 1}:{process.port}" for n in range(substations)]
    balancer = start_balancer(start_service, *urls, POLL_INTERVAL=10, POLL_TIMEOUT=5)
    gateway = start_service("charge_request_service", BALANCER_URL=balancer.url)
    wait_for_health(balancer, f"substation{substations}", "up", within_s=40)
    with requests.Session() as vehicle:
        for _ in range(150):
            assert vehicle.post(f"{gateway.url}/charge", timeout=10).status_code == 200

    first = requests.get(f"{gateway.url}/decisions", timeout=5)

    assert first.status_code == 200
    assert len(first.content) < 270_000
    assert first.json()["last"] == 150
    listed = all_decisions(gateway.url)
    assert [one["sequence"] for one in listed] == list(range(1, 151))
    for one in listed:
        best = min(one["candidates"], key=lambda candidate: candidate["score"])
        chosen = next(c for c in one["candidates"] if c["substation"] == one["substation"])
        assert chosen["score"] == best["score"]
        known = len(one["candidates"]) + one["candidates_left_out"]
        assert known + len(one["passed_over"]) + one["passed_over_left_out"] == substations
