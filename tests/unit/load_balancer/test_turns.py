"""Turns that are taken again and again, each in its time."""

import time
from itertools import pairwise

import gevent
import pytest

from load_balancer.turns import Pause, Turns
from tests.support.greenlets import wait_until

LONG = Pause(0.0, 60.0)


def counted(pause: Pause | None) -> tuple[list[float], Turns, list[str]]:
    """Give turns, the times at which they were taken, and what was told at their end."""
    taken: list[float] = []
    ended: list[str] = []

    def turn() -> Pause | None:
        taken.append(time.monotonic())
        return pause

    return taken, Turns(turn, lambda: ended.append("end")), ended


def test_the_next_turn_comes_after_its_pause() -> None:
    taken, turns, ended = counted(Pause(0.0, 0.05))
    turns.start()
    wait_until(lambda: len(taken) >= 4)
    turns.stop()
    # The loop rounds.
    assert min(later - sooner for sooner, later in pairwise(taken)) >= 0.045
    count = len(taken)
    gevent.sleep(0.15)
    assert (len(taken), ended) == (count, [])


@pytest.mark.parametrize("held_up_s", [0.0, 0.3])
def test_the_first_turn_can_be_put_off_though_the_loop_was_held_up_before(held_up_s: float) -> None:
    taken, turns, _ = counted(LONG)
    time.sleep(held_up_s)  # as a long turn does
    began = time.monotonic()
    turns.start(0.1)
    wait_until(lambda: taken)
    assert taken[0] - began >= 0.095
    turns.stop()


def test_a_hurry_cuts_a_pause_short_but_for_the_least_of_it() -> None:
    taken, turns, _ = counted(Pause(0.2, 60.0))
    turns.start()
    wait_until(lambda: len(taken) == 1)
    turns.hurry()
    turns.hurry()
    wait_until(lambda: len(taken) == 2)
    assert taken[1] - taken[0] >= 0.195
    gevent.sleep(0.3)
    assert len(taken) == 2
    turns.stop()


def test_a_hurry_during_a_turn_brings_one_more() -> None:
    taken: list[int] = []

    def turn() -> Pause:
        taken.append(len(taken))
        gevent.sleep(0.05)
        return LONG

    turns = Turns(turn)
    turns.start()
    wait_until(lambda: len(taken) == 1)
    turns.hurry()
    wait_until(lambda: len(taken) == 2)
    gevent.sleep(0.2)
    assert len(taken) == 2
    turns.stop()


def test_the_last_turn_is_reported() -> None:
    taken, turns, ended = counted(None)
    turns.start()
    wait_until(lambda: ended)
    gevent.sleep(0.05)
    assert (len(taken), ended) == (1, ["end"])


def test_a_turn_that_fails_is_the_last_and_reported_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gevent.get_hub(), "print_exception", lambda *_: None)
    ended: list[str] = []

    def turn() -> Pause:
        raise RuntimeError

    Turns(turn, lambda: ended.append("end")).start()
    wait_until(lambda: ended)
