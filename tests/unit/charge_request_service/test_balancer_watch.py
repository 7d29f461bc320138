"""The consequences of failed health checks of a balancer."""

from charge_request_service.balancers.watch import MissCounter


def after(misses: MissCounter, *checks: bool) -> tuple[bool, bool]:
    for answered in checks:
        misses.check_ended(answered=answered)
    return misses.silent, misses.lost


def test_a_balancer_is_silent_after_some_misses_and_what_it_holds_lost_after_more() -> None:
    misses = MissCounter(silent_after=2, lost_after=4)

    assert after(misses) == (False, False)
    assert after(misses, False) == (False, False)
    assert after(misses, False) == (True, False)
    assert after(misses, False) == (True, False)
    assert after(misses, False) == (True, True)


def test_one_answer_makes_up_for_all_misses() -> None:
    misses = MissCounter(silent_after=2, lost_after=3)

    assert after(misses, False, True, False) == (False, False)
    assert after(misses, False, False) == (True, True)
    assert after(misses, True) == (False, False)


def test_nothing_is_lost_before_the_balancer_is_silent() -> None:
    assert after(MissCounter(silent_after=3, lost_after=1), False, False) == (False, False)
