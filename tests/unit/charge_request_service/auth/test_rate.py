"""The rate limit: how many at once, how many after, and for how many callers."""

import pytest
import throttled.utils

from charge_request_service.auth.rate import RateLimit, read_rate


class Clock:
    """Stands in for the limit's clock."""

    now = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttled.utils, "now_mono_f", lambda: clock.now)
    return clock


def test_as_many_pass_at_once_as_the_rate_has_and_then_one_as_each_falls_due(clock: Clock) -> None:
    limit = RateLimit("60/minute")

    assert [limit.spend("a") for _ in range(60)] == [None] * 60
    assert limit.spend("a") == pytest.approx(1)
    assert limit.spend("b") is None
    for _ in range(10):  # asking in vain puts nothing off
        clock.now += 0.09
        assert limit.spend("a") is not None
    clock.now += 0.1 + 1e-6
    assert limit.spend("a") is None
    assert limit.spend("a") == pytest.approx(1, abs=0.01)
    clock.now += 3600
    assert [limit.spend("a") is None for _ in range(61)] == [True] * 60 + [False]


def test_a_burst_may_be_smaller_than_the_rate(clock: Clock) -> None:
    limit = RateLimit("3600/hour burst 2")

    assert [limit.spend("a") is None for _ in range(3)] == [True, True, False]
    clock.now += 1.001
    assert [limit.spend("a") is None for _ in range(2)] == [True, False]


def test_beyond_ten_thousand_callers_the_one_not_seen_for_longest_is_forgotten() -> None:
    limit = RateLimit("1/day")
    assert limit.spend("first") is None

    others = [limit.spend(f"caller {number}") for number in range(9_999)]

    assert set(others) == {None}
    assert limit.spend("first") is not None  # still known, and seen again
    assert limit.spend("one more") is None
    assert limit.spend("caller 0") is None  # forgotten in its place
    assert limit.spend("first") is not None


@pytest.mark.parametrize(
    "text", ["many", "0/minute", "-1/minute", "5", "5/fortnight", "5/minute burst 0", "1.5/second"]
)
def test_an_invalid_rate_is_refused_with_what_it_takes(text: str) -> None:
    with pytest.raises(ValueError, match="such as `600/minute`") as raised:
        read_rate(text)
    assert str(raised.value) == (
        "it takes a number over 0 and second, minute, hour or day, such as `600/minute`, "
        "optionally with a burst size, such as `600/minute burst 50`"
    )
