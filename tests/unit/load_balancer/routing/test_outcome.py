"""What a substation's answer means for the session."""

import orjson
import pytest

from load_balancer.routing.outcome import (
    Outcome,
    describe,
    metered,
    outcome_of,
    says_stopped,
    stop_reason,
    takes_no_charge,
)

PROBLEM = "application/problem+json"
DRAINING = "urn:ev-grid:problem:draining"
FULL = "urn:ev-grid:problem:full"


def problem(**members: object) -> bytes:
    return orjson.dumps({"status": 503, **members})


@pytest.mark.parametrize("status", [200, 201, 203, 204, 205, 206, 207, 226, 250, 299])
def test_a_2xx_means_that_the_session_was_charged(status: int) -> None:
    assert outcome_of(status, "", b"") is Outcome.CHARGED


def test_a_202_means_that_it_charges_on() -> None:
    assert outcome_of(202, "", b"") is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (300, Outcome.FAILED),
        (301, Outcome.FAILED),
        (304, Outcome.FAILED),
        (399, Outcome.FAILED),
        (400, Outcome.REJECTED),
        (401, Outcome.REJECTED),
        (404, Outcome.REJECTED),
        (418, Outcome.REJECTED),
        (429, Outcome.FULL),
        (499, Outcome.REJECTED),
        (500, Outcome.FAILED),
        (502, Outcome.FAILED),
        (503, Outcome.FULL),
        (504, Outcome.FAILED),
        (599, Outcome.FAILED),
        (600, Outcome.FAILED),
        (999, Outcome.FAILED),
        (199, Outcome.FAILED),
    ],
)
def test_each_other_status_has_one_meaning(status: int, outcome: Outcome) -> None:
    assert outcome_of(status, "", b"") is outcome


@pytest.mark.parametrize(
    "content_type", [PROBLEM, "Application/Problem+JSON; charset=utf-8", f" {PROBLEM} ;x"]
)
def test_a_substation_that_drains_says_so_in_the_type_of_its_503(content_type: str) -> None:
    assert outcome_of(503, content_type, problem(type=DRAINING)) is Outcome.DRAINING


@pytest.mark.parametrize(
    "body",
    [
        problem(type=FULL, session_id=DRAINING),
        problem(type=FULL, detail=f"no point for {DRAINING}"),
        problem(type=FULL, errors=[{"type": DRAINING}]),
        problem(type=f"{DRAINING}-soon"),
        problem(type=[DRAINING]),
        problem(type=None),
        problem(session_id=DRAINING),
        orjson.dumps(DRAINING),
        orjson.dumps([DRAINING]),
        DRAINING.encode(),
        problem(type=DRAINING)[:-1],
        b"[" * 60_000,
        b"\xff",
        b"",
    ],
)
def test_a_503_of_another_type_is_full_whatever_it_quotes(body: bytes) -> None:
    assert outcome_of(503, PROBLEM, body) is Outcome.FULL


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "x" * 60_000])
def test_what_is_not_declared_a_problem_has_no_type(content_type: str) -> None:
    assert outcome_of(503, content_type, problem(type=DRAINING)) is Outcome.FULL


@pytest.mark.parametrize("status", [429, 500, 502])
def test_only_a_503_can_say_that_a_substation_drains(status: int) -> None:
    assert outcome_of(status, PROBLEM, problem(type=DRAINING)) is not Outcome.DRAINING


def test_what_a_substation_tells_of_its_energy_is_passed_on() -> None:
    body = orjson.dumps({"energy_kwh": 6, "mean_power_kw": 49.5, "peak_power_kw": 50.0, "kwh": 6})

    assert metered(body) == {"energy_kwh": 6.0, "mean_power_kw": 49.5, "peak_power_kw": 50.0}
    assert metered(b'{"energy_kwh": 0, "mean_power_kw": 0.5}') == {
        "energy_kwh": 0.0,
        "mean_power_kw": 0.5,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"[1]",
        b"[" * 5000,
        b'{"energy_kwh": null, "mean_power_kw": "50", "peak_power_kw": true}',
        b'{"energy_kwh": -1, "mean_power_kw": [50], "peak_power_kw": {}}',
        b'{"energy_kwh": 1e400}',
        b'{"energy_kwh": NaN}',
    ],
)
def test_what_cannot_be_an_energy_is_left_out(body: bytes) -> None:
    assert metered(body) == {}


@pytest.mark.parametrize(
    ("status", "location", "words"),
    [
        (500, None, "answered 500 Internal Server Error"),
        (299, None, "answered 299"),
        (300, None, "redirects elsewhere (300 Multiple Choices)"),
        (400, None, "answered 400 Bad Request"),
        (401, None, "answered 401 Unauthorized: it wants a password, and the balancer sends none"),
        (407, "/x", "answered 407 Proxy Authentication Required: it wants a password, and the "),
        (301, "/x", "redirects to '/x' (301 Moved Permanently), which is not followed: set what"),
        (307, None, "redirects elsewhere (307 Temporary Redirect), which is not followed: set "),
        (399, "/" * 1_000, "redirects to '" + "/" * 99 + "… (399), which is not followed"),
        (302, "/\r\nX: \x1b[31m", r"redirects to '/\r\nX: \x1b[31m' (302 Found)"),
    ],
)
def test_an_answer_is_reported_in_words(status: int, location: str | None, words: str) -> None:
    assert describe(status, location).startswith(words)


@pytest.mark.parametrize(
    ("status", "none"),
    [
        *((status, True) for status in (300, 301, 307, 399, 401, 407)),
        *((status, False) for status in (299, 400, 403, 404, 500, 503)),
    ],
)
def test_where_a_redirect_or_a_password_stands_before_it_no_charge_succeeds(
    status: int, none: bool
) -> None:
    assert takes_no_charge(status) is none


@pytest.mark.parametrize(
    ("body", "stopped", "reason"),
    [
        (b'{"status":"stopped","reason":"lease"}', True, "lease"),
        (b'{"status":"stopped"}', True, "not said"),
        (b'{"status":"stopped","reason":7}', True, "not said"),
        (b'{"status":"charged","vehicle_id":"stopped"}', False, "not said"),
        (b'{"status":"charged"}', False, "not said"),
        (b'["stopped"]', False, "not said"),
        (b'"stopped"', False, "not said"),
        (b'{"stopped"', False, "not said"),
        (b"", False, "not said"),
    ],
)
def test_a_session_that_its_substation_ended_says_so(
    body: bytes, reason: str, *, stopped: bool
) -> None:
    assert says_stopped(body) is stopped
    assert stop_reason(body) == reason
