"""When a substation is polled next."""

import pytest

from load_balancer.routing.poll_schedule import PollSchedule


@pytest.fixture
def polled() -> PollSchedule:
    """A poll from 10.0 s to 10.2 s, after which there is a pause of 0.05 s at least."""
    schedule = PollSchedule()
    schedule.begin(10.0)
    schedule.end(10.2, 0.05)
    return schedule


def test_polls_begin_an_interval_apart(polled: PollSchedule) -> None:
    assert polled.next_at(0.5) == 10.5


def test_after_a_long_poll_there_is_the_minimum_pause(polled: PollSchedule) -> None:
    assert polled.next_at(0.1) == 10.25


def test_one_that_is_wanted_begins_after_the_minimum_pause(polled: PollSchedule) -> None:
    assert polled.want() == 10.25
    assert polled.next_at(0.5) == 10.25
    polled.begin(10.25)
    polled.end(10.3, 0.05)
    assert polled.next_at(0.5) == 10.75  # one was wanted, and not two


def test_one_that_is_wanted_during_a_poll_begins_after_it() -> None:
    schedule = PollSchedule()
    schedule.begin(10.0)
    assert schedule.want() is None
    schedule.end(10.2, 0.05)
    assert schedule.next_at(0.5) == 10.25


def test_the_first_may_begin_at_any_time() -> None:
    at = PollSchedule().want()
    assert at is not None
    assert at < 0
