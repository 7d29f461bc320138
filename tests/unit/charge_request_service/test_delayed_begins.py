"""A session that is soon over is written once, and one that goes on before long."""

import time
from collections.abc import Iterator

import gevent
import pytest

from charge_request_service.sessions.delayed_begins import DelayedBegins
from charge_request_service.sessions.record import Begin, End, Record, State
from tests.support.greenlets import wait_until
from tests.support.session_rows import a_begin

_DELAY_S, _LOOK_S = 0.1, 0.02


@pytest.fixture
def written() -> list[Begin]:
    return []


@pytest.fixture
def begins(written: list[Begin]) -> Iterator[DelayedBegins]:
    one = DelayedBegins(written.append, delay_s=_DELAY_S, check_interval_s=_LOOK_S)
    yield one
    one.close()


def _begin(number: int) -> Begin:
    return a_begin(session_id=f"s{number}", began_us=number)


def test_what_ends_at_once_is_one_row(begins: DelayedBegins, written: list[Begin]) -> None:
    begin, end = _begin(1), End("s1", State.CHARGED, 2, substation="substation1", status=200)
    begins.add(begin)
    row = begins.with_begin(end)
    assert row == Record(begin, end)
    gevent.sleep(_DELAY_S + 2 * _LOOK_S)
    begins.close()
    assert written == []


def test_what_goes_on_is_written_in_order_and_its_end_by_itself(
    begins: DelayedBegins, written: list[Begin]
) -> None:
    some = [_begin(number) for number in range(3)]
    for begin in some:
        begins.add(begin)
    assert written == []
    wait_until(lambda: written == some)
    end = End("s1", State.CHARGED, 2)
    assert begins.with_begin(end) is end
    later = _begin(7)  # after a quiet time it goes on
    begins.add(later)
    wait_until(lambda: written == [*some, later])


def test_one_that_comes_later_is_held_back_for_as_long() -> None:
    written_at: dict[str, float] = {}

    def write(begin: Begin) -> None:
        written_at[begin.session_id] = time.monotonic()

    begins = DelayedBegins(write, delay_s=_DELAY_S, check_interval_s=_LOOK_S)
    begins.add(_begin(1))
    gevent.sleep(_DELAY_S / 2)
    added_at = time.monotonic()
    begins.add(_begin(2))
    wait_until(lambda: len(written_at) == 2)
    assert list(written_at) == ["s1", "s2"]
    assert written_at["s2"] >= added_at + _DELAY_S
    begins.add(_begin(3))
    assert isinstance(begins.with_begin(End("s3", State.CHARGED, 2)), Record)
    begins.close()
    assert "s3" not in written_at


def test_all_are_written_in_the_end(begins: DelayedBegins, written: list[Begin]) -> None:
    begins.add(_begin(1))
    begins.add(_begin(2))
    begins.close()
    assert written == [_begin(1), _begin(2)]
