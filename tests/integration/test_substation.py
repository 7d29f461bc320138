"""A substation over real HTTP."""

import json
import os
import signal
import socket
import time

import pytest
import requests

from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.deadline import eventually
from tests.support.fleet import Fleet
from tests.support.loads import wait_for_load

JSON = {"Content-Type": "application/json"}


def test_a_vehicle_is_charged_for_as_long_as_its_energy_takes(start_service: StartService) -> None:
    substation = start_service("substation_service", POINT_POWER_KW=50, TIME_SCALE=720)

    began = time.monotonic()
    answer = requests.post(
        f"{substation.url}/charge", json={"kwh": 5, "vehicle_id": "EV-1"}, timeout=10
    )
    took_s = time.monotonic() - began

    assert answer.status_code == 200
    document = answer.json()
    assert document["status"] == "charged"
    assert document["vehicle_id"] == "EV-1"
    assert document["kwh"] == 5
    assert document["session_id"]
    assert 0.5 <= document["charging_s"] <= took_s  # 5 kWh at 50 kW, 720 times faster


def test_no_body_at_all_means_10_kwh(start_service: StartService) -> None:
    substation = start_service("substation_service", TIME_SCALE=36_000)

    assert requests.post(f"{substation.url}/charge", timeout=10).json()["kwh"] == 10


def test_a_full_substation_answers_503_with_the_time_until_a_point_frees(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=36)
    parked = Fleet(substation.url, kwh=10).send(1)  # 20 s
    wait_for_load(1, substation)

    answer = requests.post(f"{substation.url}/charge", timeout=10)

    assert answer.status_code == 503
    assert f'"session_id":"{answer.json()["session_id"]}"' in substation.log_file.read_text()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:ev-grid:problem:full"
    assert answer.json()["session_id"]
    assert 15 <= int(answer.headers["Retry-After"]) <= 20
    assert scrape(substation.url)['substation_sessions_total{outcome="refused"}'] == 1
    assert parked.statuses() == {0: 1}


def test_vehicles_share_the_power_limit_and_each_is_woken_when_it_is_charged(
    start_service: StartService,
) -> None:
    substation = start_service(
        "substation_service",
        CHARGING_POINTS=8,
        POWER_LIMIT_KW=50,
        POWER_SHARING="equal",
        TIME_SCALE=720,
    )
    began = time.monotonic()
    alone = Fleet(substation.url, kwh=10).send(1)  # 1 s alone
    wait_for_load(1, substation)
    late = Fleet(substation.url, kwh=5).send(3)  # from here on a quarter each
    wait_for_load(4, substation)

    metrics = scrape(substation.url)
    assert metrics["substation_capacity"] == 8
    assert metrics["substation_power_limit_kw"] == metrics["substation_power_kw"] == 50
    assert metrics["substation_committed_power_kw"] == 200
    assert metrics["substation_point_power_kw"] == 50
    assert metrics["substation_time_scale"] == 720
    assert 15 < metrics["substation_remaining_energy_kwh"] <= 25

    assert (alone.wait().statuses(), late.wait().statuses()) == ({200: 1}, {200: 3})
    assert 2.5 <= time.monotonic() - began < 3.5  # 25 kWh at 10 a second, with never a pause
    assert scrape(substation.url)["substation_power_kw"] == 0


def test_who_disconnects_leaves_its_power_to_the_others_at_once(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", POWER_LIMIT_KW=50, TIME_SCALE=180)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", substation.port)) as caller:
        caller.sendall(b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        wait_for_load(1, substation)
        stays = Fleet(substation.url, kwh=5).send(
            1
        )  # 8 s at the quarter that it is guaranteed, 2 s alone
        wait_for_load(2, substation)
        assert scrape(substation.url)["substation_power_kw"] == 50
    wait_for_load(1, substation, within_s=1)

    assert stays.wait().statuses() == {200: 1}
    assert 2 <= time.monotonic() - began < 5
    answer = stays.sessions[0].document
    assert answer["peak_power_kw"] == 50
    assert 12.5 < answer["mean_power_kw"] <= 50


def put_limit(url: str, **body: object) -> requests.Response:
    return requests.put(f"{url}/power-limit", json=body, timeout=5)


def test_the_limit_can_be_lowered_for_a_time_while_vehicles_charge(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", TIME_SCALE=720)  # 10 kWh at 50 kW take 1 s
    standing = {"power_limit_kw": 200, "standing_limit_kw": 200, "returns_in_s": None}
    assert requests.get(f"{substation.url}/power-limit", timeout=5).json() == standing
    began = time.monotonic()
    fleet = Fleet(substation.url, kwh=10).send(2)
    wait_for_load(2, substation)

    answer = put_limit(substation.url, power_limit_kw=20, for_s=1)

    assert answer.status_code == 200
    assert answer.json() == {**standing, "power_limit_kw": 20, "returns_in_s": 1}
    metrics = scrape(substation.url)
    assert metrics["substation_power_limit_kw"] == metrics["substation_power_kw"] == 20
    assert fleet.wait().statuses() == {200: 2}
    # A second at a fifth of their power costs each 0.8 s.
    assert 1.75 <= time.monotonic() - began < 2.8
    assert requests.get(f"{substation.url}/power-limit", timeout=5).json() == standing
    reported = [json.loads(line) for line in substation.log_file.read_text().splitlines()]
    changes = {one["event"]: one for one in reported if one["event"].startswith("power limit")}
    assert changes["power limit changed"]["before_kw"] == 200
    assert changes["power limit changed"]["power_limit_kw"] == 20
    assert changes["power limit changed"]["for_s"] == 1
    assert changes["power limit returned"]["power_limit_kw"] == 200


def test_a_limit_of_0_pauses_what_charges_and_a_higher_one_wakes_it(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=1, TIME_SCALE=720)
    fleet = Fleet(substation.url, kwh=10).send(1)
    wait_for_load(1, substation)

    put_limit(substation.url, power_limit_kw=0)
    full = requests.post(f"{substation.url}/charge", timeout=5)
    assert (full.status_code, full.headers["Retry-After"]) == (503, "86400")
    time.sleep(1.2)
    assert fleet.statuses() == {0: 1}

    put_limit(substation.url, power_limit_kw=1000)
    assert fleet.wait().statuses() == {200: 1}


BAD_LIMITS = {
    "nothing": ({}, "power_limit_kw"),
    "no kilowatts": ({"for_s": 5}, "power_limit_kw"),
    "below 0": ({"power_limit_kw": -1}, "power_limit_kw"),
    "as text": ({"power_limit_kw": "10"}, "power_limit_kw"),
    "null": ({"power_limit_kw": None}, "power_limit_kw"),
    "true": ({"power_limit_kw": True}, "power_limit_kw"),
    "beyond all": ({"power_limit_kw": 2e9}, "power_limit_kw"),
    "for no time": ({"power_limit_kw": 10, "for_s": 0}, "for_s"),
    "for years": ({"power_limit_kw": 10, "for_s": 1e8}, "for_s"),
    "a list": ([10], "body"),
    "an unknown field": ({"power_limit_kw": 10, "until": 5}, "until"),
}


def test_a_bad_limit_is_refused_by_field_and_changes_nothing(start_service: StartService) -> None:
    substation = start_service("substation_service")

    for what, (body, field) in BAD_LIMITS.items():
        answer = requests.put(f"{substation.url}/power-limit", json=body, timeout=5)
        assert answer.status_code == 400, what
        assert [one["field"] for one in answer.json()["errors"]] == [field], what
    no_json = requests.put(f"{substation.url}/power-limit", data=b"power_limit_kw=10", timeout=5)
    assert no_json.status_code == 415
    in_query = requests.put(f"{substation.url}/power-limit?power_limit_kw=10", timeout=5)
    assert in_query.json()["errors"][0]["field"] == "power_limit_kw"

    assert scrape(substation.url)["substation_power_limit_kw"] == 200


def test_of_60_vehicles_at_once_exactly_as_many_charge_as_there_are_points(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", CHARGING_POINTS=10, TIME_SCALE=180)

    fleet = Fleet(substation.url, kwh=10).send(60).wait()

    assert fleet.statuses() == {200: 10, 503: 50}
    metrics = scrape(substation.url)
    assert metrics["substation_current_load"] == 0
    assert metrics['substation_sessions_total{outcome="charged"}'] == 10
    assert metrics['substation_sessions_total{outcome="refused"}'] == 50
    assert metrics['substation_energy_delivered_kwh_total{outcome="charged"}'] == 100


@pytest.mark.parametrize("sent_ahead", [b"", b"POST /charge HTTP/1.1\r\n"], ids=["", "pipelined"])
def test_a_caller_that_disconnects_frees_the_point(
    start_service: StartService, sent_ahead: bytes
) -> None:
    substation = start_service("substation_service", TIME_SCALE=36)
    with socket.create_connection(("127.0.0.1", substation.port)) as caller:
        caller.sendall(
            b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + sent_ahead
        )
        wait_for_load(1, substation)

    wait_for_load(0, substation, within_s=0.5)
    assert scrape(substation.url)['substation_sessions_total{outcome="aborted"}'] == 1


@pytest.mark.parametrize("waits_for_the_first", [True, False], ids=["", "pipelined"])
def test_a_caller_that_disconnects_on_its_second_vehicle_frees_the_point(
    start_service: StartService, *, waits_for_the_first: bool
) -> None:
    substation = start_service("substation_service", TIME_SCALE=36)
    quick = b'{"kwh": 0.5}'  # 1 s
    with socket.create_connection(("127.0.0.1", substation.port)) as caller:
        caller.sendall(
            b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(quick), quick)
        )
        wait_for_load(1, substation)
        if waits_for_the_first:
            assert caller.recv(1000).startswith(b"HTTP/1.1 200 OK")
        caller.sendall(b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        if not waits_for_the_first:
            assert caller.recv(1000).startswith(b"HTTP/1.1 200 OK")
        wait_for_load(1, substation)

    wait_for_load(0, substation, within_s=0.5)
    metrics = scrape(substation.url)
    assert metrics['substation_sessions_total{outcome="charged"}'] == 1
    assert metrics['substation_sessions_total{outcome="aborted"}'] == 1


def test_a_substation_that_wakes_from_a_freeze_charges_no_one_whose_caller_is_gone(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", TIME_SCALE=360)
    with socket.create_connection(("127.0.0.1", substation.port)) as caller:
        caller.sendall(b"POST /charge HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        wait_for_load(1, substation)
        substation.freeze()
    time.sleep(2.2)  # its 2 s of charging are over while it is frozen
    substation.thaw()

    wait_for_load(0, substation)
    metrics = scrape(substation.url)
    assert metrics['substation_sessions_total{outcome="aborted"}'] == 1
    assert metrics['substation_sessions_total{outcome="charged"}'] == 0


BAD_BODIES = {
    "not JSON": (b"{kwh: 6", "body"),
    "a list": (b"[6]", "body"),
    "a number": (b"6", "body"),
    "kwh of 0": (b'{"kwh": 0}', "kwh"),
    "kwh of -5": (b'{"kwh": -5}', "kwh"),
    "kwh of 1e9": (b'{"kwh": 1e9}', "kwh"),
    "kwh of 1e999": (b'{"kwh": 1e999}', "kwh"),
    "kwh of NaN": (b'{"kwh": NaN}', "kwh"),
    "kwh as text": (b'{"kwh": "6"}', "kwh"),
    "kwh of true": (b'{"kwh": true}', "kwh"),
    "kwh of null": (b'{"kwh": null}', "kwh"),
    "kwh of 5000 digits": (b'{"kwh": ' + b"9" * 5000 + b"}", "body"),
    "nested 10,000 deep": (b"[" * 10_000, "body"),
    "vehicle_id of 65 characters": (json.dumps({"vehicle_id": "x" * 65}).encode(), "vehicle_id"),
    "vehicle_id with a newline": (b'{"vehicle_id": "EV\\n1"}', "vehicle_id"),
    "vehicle_id that ends in a newline": (b'{"vehicle_id": "EV1\\n"}', "vehicle_id"),
    "vehicle_id with quotes": (b'{"vehicle_id": "\\"EV\\""}', "vehicle_id"),
    "vehicle_id with other letters": ('{"vehicle_id": "\u0415V"}'.encode(), "vehicle_id"),
    "vehicle_id that is empty": (b'{"vehicle_id": ""}', "vehicle_id"),
    "vehicle_id as a number": (b'{"vehicle_id": 7}', "vehicle_id"),
    "max_power_kw of 0.5": (b'{"max_power_kw": 0.5}', "max_power_kw"),
    "max_power_kw of 10001": (b'{"max_power_kw": 10001}', "max_power_kw"),
    "max_power_kw as text": (b'{"max_power_kw": "11"}', "max_power_kw"),
    "max_power_kw of true": (b'{"max_power_kw": true}', "max_power_kw"),
    "max_power_kw of NaN": (b'{"max_power_kw": NaN}', "max_power_kw"),
    "battery_kwh of 0": (b'{"battery_kwh": 0}', "battery_kwh"),
    "battery_kwh of 1e999": (b'{"battery_kwh": 1e999}', "battery_kwh"),
    "soc of -0.1": (b'{"battery_kwh": 60, "soc": -0.1}', "soc"),
    "soc of 80": (b'{"battery_kwh": 60, "soc": 80}', "soc"),
    "soc as a list": (b'{"battery_kwh": 60, "soc": [0.8]}', "soc"),
    "soc without battery_kwh": (b'{"soc": 0.8}', "soc"),
    "soc with a battery_kwh of null": (b'{"soc": 0.8, "battery_kwh": null}', "soc"),
    "more than fits": (b'{"kwh": 6.1, "battery_kwh": 60, "soc": 0.9}', "kwh"),
    "more than the battery": (b'{"kwh": 60.1, "battery_kwh": 60}', "kwh"),
    "left out, more than fits": (b'{"battery_kwh": 60, "soc": 0.9}', "kwh"),
    "a full battery": (b'{"kwh": 1, "battery_kwh": 60, "soc": 1}', "kwh"),
    "a field that is not known": (b'{"kWh": 6}', "kWh"),
}


@pytest.mark.parametrize("service", ["substation_service", "load_balancer"])
def test_bad_input_gets_a_problem_that_names_the_field_and_nothing_is_counted(
    start_service: StartService, service: str
) -> None:
    substation = start_service("substation_service")
    door = (
        substation
        if service == "substation_service"
        else start_service(service, SUBSTATIONS=substation.url)
    )

    for what, (body, field) in BAD_BODIES.items():
        answer = requests.post(f"{door.url}/charge", data=body, headers=JSON, timeout=10)
        assert answer.status_code == 400, what
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert field in answer.json()["errors"][0]["field"], what

    assert requests.post(f"{door.url}/charge", data=b"kwh=6", timeout=10).status_code == 415
    too_large = requests.post(
        f"{door.url}/charge", data=b'"' + b"x" * 2_000_000 + b'"', headers=JSON, timeout=10
    )
    assert too_large.status_code == 413
    assert too_large.json()["type"] == "urn:ev-grid:problem:body-too-large"
    assert not any(
        value
        for name, value in scrape(substation.url).items()
        if name.startswith("substation_sessions_t")
    )


def test_unknown_paths_and_methods_are_problems_too(start_service: StartService) -> None:
    substation = start_service("substation_service")

    missing = requests.get(f"{substation.url}/nowhere", timeout=5)
    wrong = requests.get(f"{substation.url}/charge", timeout=5)

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert {missing.headers["Content-Type"], wrong.headers["Content-Type"]} == {
        "application/problem+json"
    }
    assert "POST" in wrong.headers["Allow"]


def test_a_harmless_request_id_is_taken_over_and_any_other_replaced(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service")

    def sent_back(given: str) -> str:
        answer = requests.get(
            f"{substation.url}/healthz", headers={"X-Request-ID": given}, timeout=5
        )
        return answer.headers["X-Request-ID"]

    assert sent_back("trip-7:a.b_c") == "trip-7:a.b_c"
    assert sent_back("x" * 65) != "x" * 65
    assert '"' not in sent_back('a","level":"forged')


def test_sigterm_finishes_the_vehicles_and_takes_no_new_one(start_service: StartService) -> None:
    substation = start_service("substation_service", TIME_SCALE=360)
    fleet = Fleet(substation.url).send(3)
    wait_for_load(3, substation)
    keeps_asking = requests.Session()

    os.kill(substation.pid, signal.SIGTERM)

    def drains() -> None:
        assert keeps_asking.get(f"{substation.url}/readyz", timeout=5).status_code == 503

    eventually(drains)
    late = keeps_asking.post(f"{substation.url}/charge", timeout=5)
    assert late.status_code == 503
    assert late.json()["type"] == "urn:ev-grid:problem:draining"
    assert scrape(substation.url)["substation_draining"] == 1
    assert fleet.wait().statuses() == {200: 3}
    assert substation.stop() == 0
    # no last traceback
    assert all(line.startswith("{") for line in substation.log_tail().splitlines())


def test_a_drain_waits_for_the_last_vehicle_and_ends_promptly_after_it(
    start_service: StartService,
) -> None:
    substation = start_service("substation_service", TIME_SCALE=360, DRAIN_TIMEOUT=60)
    # 1 s and 3 s at 50 kW
    first, last = Fleet(substation.url, kwh=5), Fleet(substation.url, kwh=15)
    first.send(1)
    last.send(1)
    wait_for_load(2, substation)

    assert substation.stop(timeout_s=30) == 0

    stopped = time.monotonic()
    assert (first.wait().statuses(), last.wait().statuses()) == ({200: 1}, {200: 1})
    left = [fleet.sessions[0].answered for fleet in (first, last)]
    assert left[1] - left[0] > 1
    assert stopped - left[1] < 5


def test_vehicles_that_outlast_the_drain_are_disconnected_on_and_accounted_for(
    start_service: StartService,
) -> None:
    substation = start_service(
        "substation_service", CHARGING_POINTS=60, TIME_SCALE=36, DRAIN_TIMEOUT=1
    )
    fleet = Fleet(substation.url, kwh=100).send(60)
    wait_for_load(60, substation)

    assert substation.stop() == 0

    ended = [json.loads(line) for line in substation.log_file.read_text().splitlines()]
    assert [event["outcome"] for event in ended if "outcome" in event] == ["aborted"] * 60
    assert fleet.wait().statuses() == {0: 60}


def test_an_ipv6_address_needs_no_brackets(start_service: StartService) -> None:
    # 127.0.0.1 too, for the fixture
    substation = start_service("substation_service", BIND_HOST="::")

    assert requests.get(f"http://[::1]:{substation.port}/healthz", timeout=5).text == "alive\n"
