"""Malformed and too large requests, over real connections."""

import json
import re
import select
import socket
import time
from contextlib import ExitStack, closing
from functools import partial

import pytest
import requests

from local_stack.process import Process
from local_stack.scrape import scrape
from tests.conftest import StartService
from tests.support.deadline import eventually

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


@pytest.fixture
def substation(start_service: StartService) -> Process:
    return start_service("substation_service")


def reported(substation: Process, *pieces: bytes) -> bytes:
    """Send pieces, and return all that comes until the service ends the connection."""
    with closing(socket.create_connection(("127.0.0.1", substation.port), timeout=10)) as line:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(0.05)
        answer = b""
        while data := line.recv(65_536):
            answer += data
        return answer


def statuses(answer: bytes) -> list[int]:
    return [int(code) for code in _STATUS.findall(answer)]


@pytest.mark.parametrize("behind", [b"\x00\x01\x02", b"garbage\r\n\r\n", b"GET / HTTP/9.9\r\n"])
def test_what_follows_a_whole_request_does_not_take_its_answer_away(
    substation: Process, behind: bytes
) -> None:
    request = GET + b"\r\n"
    in_one, in_two = reported(substation, request + behind), reported(substation, request, behind)
    assert statuses(in_one) == statuses(in_two) == [200, 400]
    assert b"alive\n" in in_one


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_what_follows_the_last_request_does_not_reset_its_answer(
    substation: Process, version: bytes
) -> None:
    last = GET.replace(b"1.1", version) + b"Connection: close\r\n\r\n"
    for _ in range(8):
        assert statuses(reported(substation, last + b"x" * 300_000)) == [200]
        assert statuses(reported(substation, last, b"x" * 300_000)) == [200]


def test_a_caller_that_is_reported_that_the_connection_ends_is_not_waited_for(
    substation: Process,
) -> None:
    began = time.monotonic()
    with closing(socket.create_connection(("127.0.0.1", substation.port), timeout=10)) as line:
        line.sendall(GET + b"Connection: close\r\n\r\n")
        while line.recv(65_536):
            pass
        assert time.monotonic() - began < 1

        def is_over() -> None:  # it reads on for 2 s, and no longer
            try:
                line.sendall(b"x")
            except ConnectionError:
                return
            raise AssertionError("it still reads")

        eventually(is_over, within_s=10, every_s=0.1)


def test_malformed_requests_are_counted_and_logged_now_and_then_with_their_id(
    substation: Process,
) -> None:
    answers = [reported(substation, b"no request\r\n\r\n") for _ in range(5)]
    long = reported(substation, b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n")
    named = reported(substation, GET + b"X-Request-ID: trip-42\r\nX: a\x00b\r\n\r\n")

    assert [statuses(answer) for answer in answers] == [[400]] * 5
    assert statuses(long) == [414]
    ids = [re.findall(rb"X-Request-ID: (\S+)", answer) for answer in (*answers, named)]
    assert len({*map(tuple, ids)}) == 6
    assert ids[-1] == [b"trip-42"]
    metrics = scrape(substation.url)
    assert metrics['http_malformed_requests_total{status="400"}'] == 6
    assert metrics['http_malformed_requests_total{status="414"}'] == 1
    events = [json.loads(line) for line in substation.log_file.read_text().splitlines()]
    [event] = [event for event in events if event["event"] == "malformed request"]
    assert event["request_id"] == ids[0][0].decode()
    assert event["address"] == "127.0.0.1"
    assert event["status"] == 400
    assert event["not_logged"] == 0
    assert "method" in event["why"]


def test_large_requests_share_a_memory_limit_and_ordinary_ones_continue(
    substation: Process,
) -> None:
    body = 60_000
    most = 16_777_216 // body
    large = GET.replace(b"GET", b"POST") + b"Content-Length: 65000\r\n\r\n" + b" " * body

    with ExitStack() as stack:
        lines = []
        for _ in range(most + 200):
            line = socket.create_connection(("127.0.0.1", substation.port), timeout=10)
            lines.append(stack.enter_context(line))
            line.sendall(large)
        refused = eventually(partial(some_answered, lines, 30))
        for line in refused:
            answer = line.recv(65_536)
            assert statuses(answer) == [503]
            assert b"Retry-After: 1\r\n" in answer
            assert b"requests-too-large" in answer
        assert len(refused) < 300  # all others are held
        assert requests.get(f"{substation.url}/healthz", timeout=5).status_code == 200
        assert (
            requests.post(f"{substation.url}/charge", json={"kwh": 0.1}, timeout=5).status_code
            == 200
        )

    whole = large + b" " * 5_000 + GET + b"Connection: close\r\n\r\n"

    def takes_a_large_one_again() -> None:
        assert statuses(reported(substation, whole)) == [405, 200]

    eventually(takes_a_large_one_again)


def test_large_requests_of_vehicles_that_charge_count_too(start_service: StartService) -> None:
    points = 400
    substation = start_service("substation_service", CHARGING_POINTS=points, TIME_SCALE=36)
    body = b'{"kwh": 3}'.ljust(60_000)  # 6 s
    head = b"POST /charge HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    large = head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    with ExitStack() as stack:
        lines = []
        for _ in range(points):
            line = socket.create_connection(("127.0.0.1", substation.port), timeout=10)
            lines.append(stack.enter_context(line))
            line.sendall(large)
        eventually(partial(some_answered, lines, 50))
        load = scrape(substation.url)["substation_current_load"]
        assert points // 2 < load <= points - 50  # beyond 8 KiB each, 16 MiB are 318 of them
        assert (
            requests.post(f"{substation.url}/charge", json={"kwh": 0.01}, timeout=5).status_code
            == 200
        )
        for line in lines:
            assert statuses(line.recv(65_536)) in ([200], [503])

    assert scrape(substation.url)["substation_current_load"] == 0
    again = large.replace(b'"kwh": 3', b'"kwh": 0') + GET + b"Connection: close\r\n\r\n"
    assert statuses(reported(substation, again)) == [400, 200]  # not of its size, but of its energy


def some_answered(lines: list[socket.socket], count: int) -> list[socket.socket]:
    waiting = select.poll()
    by_file = {line.fileno(): line for line in lines}
    for number in by_file:
        waiting.register(number, select.POLLIN)
    answered = [by_file[number] for number, _ in waiting.poll(0)]
    assert len(answered) >= count
    return answered
