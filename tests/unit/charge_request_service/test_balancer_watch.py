"""What the gateway makes of checks that its balancer does not answer."""

from charge_request_service.balancer_watch import Pulse


def after(pulse: Pulse, *checks: bool) -> tuple[bool, bool]:
    for answered in checks:
        pulse.check_ended(answered=answered)
    return pulse.silent, pulse.lost


def test_a_balancer_is_silent_after_some_misses_and_what_it_holds_lost_after_more() -> None:
    pulse = Pulse(silent_after=2, lost_after=4)

    assert after(pulse) == (False, False)
    assert after(pulse, False) == (False, False)
    assert after(pulse, False) == (True, False)
    assert after(pulse, False) == (True, False)
    assert after(pulse, False) == (True, True)


def test_one_answer_makes_up_for_all_misses() -> None:
    pulse = Pulse(silent_after=2, lost_after=3)

    assert after(pulse, False, True, False) == (False, False)
    assert after(pulse, False, False) == (True, True)
    assert after(pulse, True) == (False, False)


def test_nothing_is_lost_before_the_balancer_is_silent() -> None:
    assert after(Pulse(silent_after=3, lost_after=1), False, False) == (False, False)
