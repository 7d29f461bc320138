"""A drain counts vehicles in flight, refuses new ones, and ends once the last has left."""

import time

import gevent
import pytest

from grid_common.api.problem_type import DRAINING, is_refused
from grid_common.api.problems import Unavailable, problem_response
from grid_common.drain import Drain
from grid_common.http.response import UpstreamResponse


def a_vehicle(drain: Drain, seconds: float) -> None:
    with drain.vehicle():
        gevent.sleep(seconds)


def test_who_is_in_flight_is_counted_until_it_leaves() -> None:
    drain = Drain("substation")
    with drain.vehicle():
        with drain.vehicle():
            assert drain.in_flight == 2
        assert drain.in_flight == 1
    assert drain.in_flight == 0


def test_a_vehicle_that_is_not_new_is_counted_while_the_service_drains_too() -> None:
    drain = Drain("substation")
    drain.begin()
    with drain.any_vehicle():
        assert drain.in_flight == 1
        assert not drain.wait_idle(0)
    assert drain.in_flight == 0
    assert drain.wait_idle(0)


def test_a_vehicle_that_fails_is_no_longer_in_flight() -> None:
    drain = Drain("substation")
    with pytest.raises(ZeroDivisionError), drain.vehicle():
        _ = 1 / 0
    assert drain.in_flight == 0
    assert drain.wait_idle(0)


def test_a_service_that_has_had_no_vehicle_is_idle_at_once() -> None:
    assert Drain("substation").wait_idle(0)


def test_a_drain_waits_for_the_last_vehicle_and_is_over_promptly_once_it_has_left() -> None:
    drain = Drain("substation")
    vehicles = [gevent.spawn(a_vehicle, drain, seconds) for seconds in (0.05, 0.3, 0.1)]
    gevent.sleep(0.01)
    drain.begin()
    began = time.monotonic()

    assert drain.wait_idle(5)
    took_s = time.monotonic() - began
    assert all(vehicle.dead for vehicle in vehicles)
    assert 0.25 < took_s < 2


def test_a_drain_that_takes_too_long_says_so() -> None:
    drain = Drain("substation")
    with drain.vehicle():
        assert not drain.wait_idle(0.01)


def test_a_service_that_was_busy_and_idle_again_is_waited_for_again() -> None:
    drain = Drain("substation")
    for _ in range(2):
        with drain.vehicle():
            assert not drain.wait_idle(0)
        assert drain.wait_idle(0)


def test_a_service_takes_vehicles_until_it_drains() -> None:
    drain = Drain("substation")
    assert drain.active is False
    drain.begin()
    assert drain.active is True


def test_a_newcomer_to_a_drain_is_reported_who_drains_and_when_to_come_back() -> None:
    drain = Drain("substation")
    with drain.vehicle():
        drain.begin()
        with pytest.raises(Unavailable) as refused, drain.vehicle():
            pass
        assert drain.in_flight == 1

    assert refused.value.document() == {
        "type": "urn:ev-grid:problem:draining",
        "title": "Not available now",
        "status": 503,
        "detail": "The substation is shutting down and takes no new vehicle; try again.",
    }
    assert refused.value.headers == {"Retry-After": "2"}


def answer_of(problem: Unavailable, status: int = 503) -> UpstreamResponse:
    response = problem_response(problem)
    return UpstreamResponse(status, response.content_type, None, response.get_data())


def test_a_draining_503_is_reported_from_a_full_one() -> None:
    draining = Unavailable("draining", "it stops", retry_after_s=2)
    full = Unavailable("full", "draining", retry_after_s=2)
    assert is_refused(answer_of(draining), DRAINING)
    assert not is_refused(answer_of(full), DRAINING)
    assert not is_refused(answer_of(draining, status=500), DRAINING)
    assert not is_refused(UpstreamResponse(503, "", None, b"draining"), DRAINING)
