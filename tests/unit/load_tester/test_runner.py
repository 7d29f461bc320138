"""Vehicles that go wrong in the tester itself, or are out when it is told to stop."""

import errno
import random
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

import gevent
import pytest

from load_tester import runner as under_test
from load_tester.answer import Answer
from load_tester.books import OwnSide
from load_tester.client import Gateway, NoAnswer, Silence
from load_tester.limits import ServiceWatch, Thresholds
from load_tester.runner import Manners, Runner
from load_tester.vehicle import Charge, Outcome, Plan, Stage, Vehicle
from tests.unit.load_tester.builders import TAG

REFUSED = Answer(503, {"retry-after": "0.05"}, b"{}")
REJECTED = Answer(400, {}, b"{}")
CHARGED = Answer(200, {}, b"{}")
GATEWAY = Gateway(urlsplit("http://127.0.0.1:9"), timeout=5.0)

Give = Callable[[bytes], Answer]


def run(
    monkeypatch: pytest.MonkeyPatch,
    give: Give,
    *due: float,
    patience: float = 0.0,
    watch: Callable[[Charge], bool] = lambda _: False,
) -> list[Charge]:
    """Run vehicles that are answered by `give`."""

    class Caller:
        def __init__(self, *_: object, **__: object) -> None: ...

        def charge(self, body: bytes) -> Answer:
            return give(body)

    monkeypatch.setattr(under_test, "Caller", Caller)
    plan = Plan("steady", "", [Vehicle(n, at, 1.0) for n, at in enumerate(due, start=1)])
    manners = Manners(patience, 5.0, TAG)
    one = Runner(plan, GATEWAY, manners, time.monotonic, random.Random(1), watch)
    one.run()
    return one.charges


def test_a_fault_of_the_tester_itself_fails_the_vehicle_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def give(body: bytes) -> Answer:
        if b"000001" in body:
            raise RuntimeError("out of luck")
        return CHARGED

    broken, whole = run(monkeypatch, give, 0.0, 0.0)
    assert (broken.outcome, broken.reason) == (
        Outcome.FAILED,
        "the tester itself failed: RuntimeError: out of luck",
    )
    assert broken.ended > 0
    assert whole.outcome is Outcome.CHARGED
    assert OwnSide.of([broken]).loose == 1  # the grid may have charged it


def test_a_tester_without_descriptors_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    GATEWAY.addresses.in_turn()
    monkeypatch.setattr(socket, "socket", none_left)
    with pytest.raises(NoAnswer, match="out of file descriptors; raise `ulimit -n`") as caught:
        GATEWAY.connect()
    assert caught.value.silence is Silence.UNREACHABLE
    assert not caught.value.sent


def test_a_stop_while_a_vehicle_tries_again_cuts_it_short_and_does_not_lose_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = [Stage("1/s", 0.0, 0.2, 1.0), Stage("2/s", 0.2, 0.4, 2.0)]
    service = ServiceWatch(stages, Thresholds(), [0.0, 0.25])
    retrying, rejected = run(
        monkeypatch,
        lambda body: REFUSED if b"000001" in body else REJECTED,
        0.0,
        0.25,
        patience=60.0,
        watch=service.observe,
    )
    assert (retrying.outcome, retrying.reason) == (Outcome.CUT_SHORT, "")
    assert OwnSide.of([retrying]).loose == 0  # it was refused: nobody charged it
    assert rejected.outcome is Outcome.REJECTED
    # The step that broke is the second, not the one of the vehicle that was still trying.
    assert service.first_broken() == (1, "1 vehicles lost")


def test_a_vehicle_cut_short_on_its_second_try_may_have_been_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = iter([REFUSED])

    def give(_: bytes) -> Answer:
        for answer in tries:
            return answer
        raise gevent.GreenletExit

    (cut,) = run(monkeypatch, give, 0.0, patience=60.0)
    assert (cut.outcome, cut.status, cut.tries) == (Outcome.CUT_SHORT, None, 2)
    assert OwnSide.of([cut]).loose == 1


def test_a_vehicle_out_of_patience_is_refused_though_the_run_was_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charges = run(monkeypatch, lambda _: REFUSED, 0.0, 0.0, watch=lambda _: True)
    assert {one.outcome for one in charges} == {Outcome.REFUSED}
