"""Which of a caller's like events are logged. Pure."""

from grid_common.log_throttle import LogThrottle


def test_of_one_caller_one_in_ten_seconds_is_logged_with_how_many_were_not() -> None:
    log_throttle = LogThrottle()

    assert [log_throttle.count("a", now) for now in (0.0, 1.0, 9.9)] == [0, None, None]
    assert log_throttle.count("b", 9.9) == 0
    assert [log_throttle.count("a", now) for now in (10.0, 19.9)] == [2, None]
    assert log_throttle.count("a", 100.0) == 1
    assert log_throttle.count("a", 200.0) == 0


def test_beyond_a_thousand_callers_the_one_logged_longest_ago_is_forgotten() -> None:
    log_throttle = LogThrottle()
    for number in range(1000):
        log_throttle.count(f"caller {number}", 0.0)
    assert log_throttle.count("caller 0", 1.0) is None

    log_throttle.count("one more", 1.0)

    assert log_throttle.count("caller 1", 2.0) is None
    assert log_throttle.count("caller 0", 2.0) == 0
