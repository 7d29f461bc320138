"""Which of a caller's like events are logged. Pure."""

from grid_common.log_throttle import Repeats


def test_of_one_caller_one_in_ten_seconds_is_logged_with_how_many_were_not() -> None:
    repeats = Repeats()

    assert [repeats.count("a", now) for now in (0.0, 1.0, 9.9)] == [0, None, None]
    assert repeats.count("b", 9.9) == 0
    assert [repeats.count("a", now) for now in (10.0, 19.9)] == [2, None]
    assert repeats.count("a", 100.0) == 1
    assert repeats.count("a", 200.0) == 0


def test_beyond_a_thousand_callers_the_one_logged_longest_ago_is_forgotten() -> None:
    repeats = Repeats()
    for number in range(1000):
        repeats.count(f"caller {number}", 0.0)
    assert repeats.count("caller 0", 1.0) is None

    repeats.count("one more", 1.0)

    assert repeats.count("caller 1", 2.0) is None
    assert repeats.count("caller 0", 2.0) == 0
