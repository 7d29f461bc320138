"""Malformed requests are counted, logged at intervals, and have an ID."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from grid_common import malformed
from grid_common.http.refused import Malformed, RefusedRequest, TooMuchHeld
from tests.support.logs import captured_log


class Clock:
    """Stands in for the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(malformed, "time", clock)
    return clock


class Service:
    """Notes what is no request, and keeps what it logged and counted."""

    def __init__(self) -> None:
        log, self.said = captured_log()
        self._registry = CollectorRegistry()
        self._requests = malformed.MalformedRequests(self._registry, log)

    def respond(self, error: RefusedRequest, **environ: Any) -> tuple[dict[str, str], Any]:
        headers, body = self._requests.respond(error, environ)
        return headers, json.loads(body)

    def note(self, error: RefusedRequest, **environ: Any) -> str:
        return self.respond(error, **environ)[0]["X-Request-ID"]

    @property
    def page(self) -> str:
        return generate_latest(self._registry).decode()

    def counted(self, status: int) -> float | None:
        labels = {"status": str(status)}
        return self._registry.get_sample_value("http_malformed_requests_total", labels)


TOO_LONG = Malformed("The request line is over 8192 bytes.", HTTPStatus.REQUEST_URI_TOO_LONG)
NO_PATH = Malformed("The request target is not a path.")


@pytest.mark.usefixtures("clock")
def test_a_malformed_request_is_counted_by_status_and_logged_with_its_id() -> None:
    service = Service()

    given = service.note(TOO_LONG, REMOTE_ADDR="10.0.0.7", HTTP_X_REQUEST_ID="trip-7")
    made = service.note(NO_PATH)

    assert given == "trip-7"
    assert len(made) == 16
    assert (service.counted(414), service.counted(400), service.counted(431)) == (1, 1, None)
    assert (
        "# HELP http_malformed_requests_total Malformed requests, and those too large for now; "
        "not in http_requests_total\n"
    ) in service.page
    common = {"event": "malformed request", "log_level": "warning", "not_logged": 0}
    assert service.said == [
        {
            **common,
            "address": "10.0.0.7",
            "status": 414,
            "why": "The request line is over 8192 bytes.",
            "request_id": "trip-7",
        },
        {
            **common,
            "address": "",
            "status": 400,
            "why": "The request target is not a path.",
            "request_id": made,
        },
    ]


@pytest.mark.usefixtures("clock")
def test_the_response_is_a_problem_named_by_its_status() -> None:
    service = Service()
    assert service.respond(TOO_LONG, HTTP_X_REQUEST_ID="trip-7") == (
        {"Content-Type": "application/problem+json", "X-Request-ID": "trip-7"},
        {
            "type": "urn:ev-grid:problem:malformed",
            "title": HTTPStatus.REQUEST_URI_TOO_LONG.phrase,
            "status": 414,
            "detail": "The request line is over 8192 bytes.",
        },
    )
    headers, problem = service.respond(TooMuchHeld(), HTTP_X_REQUEST_ID="trip-8")
    assert list(headers.items()) == [
        ("Content-Type", "application/problem+json"),
        ("Retry-After", "1"),
        ("X-Request-ID", "trip-8"),
    ]
    assert (problem["type"], problem["title"], problem["status"]) == (
        "urn:ev-grid:problem:requests-too-large",
        "Service Unavailable",
        503,
    )
    assert [said["event"] for said in service.said] == ["malformed request"]  # one in ten seconds


@pytest.mark.usefixtures("clock")
def test_a_large_request_is_logged_by_another_name() -> None:
    service = Service()
    service.note(TooMuchHeld())
    assert [said["event"] for said in service.said] == ["large request turned away"]


def test_one_network_is_logged_once_in_ten_seconds_and_counted_each_time(clock: Clock) -> None:
    service = Service()
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
        service.note(NO_PATH, REMOTE_ADDR=address)
    clock.now += 10
    service.note(NO_PATH, REMOTE_ADDR="2001:db8::4")

    assert service.counted(400) == 5
    assert [(said["address"], said["not_logged"]) for said in service.said] == [
        ("2001:db8::1", 0),
        ("2001:db8:0:1::1", 0),
        ("2001:db8::4", 2),
    ]
