"""Vehicles with errors in the tester itself, or in flight when it is told to stop."""

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
from load_tester.client import FailureKind, Gateway, NoResponse
from load_tester.limits import ServiceWatch, Thresholds
from load_tester.reconciliation.findings import OwnSide
from load_tester.response import HttpResponse
from load_tester.runner import Behaviour, Follow, Runner
from load_tester.vehicle import Charge, Outcome, Plan, Stage, Vehicle
from tests.unit.load_tester.builders import TAG

REFUSED = HttpResponse(503, {"retry-after": "0.05"}, b"{}")
REJECTED = HttpResponse(400, {}, b"{}")
CHARGED = HttpResponse(200, {}, b"{}")
GATEWAY = Gateway(urlsplit("http://127.0.0.1:9"), timeout=5.0)

Give = Callable[[bytes], HttpResponse]


def run(
    monkeypatch: pytest.MonkeyPatch,
    give: Give,
    *due: float,
    patience: float = 0.0,
    watch: Callable[[Charge], bool] = lambda _: False,
    keyed: Callable[[str], HttpResponse] | None = None,
    follow: Follow | None = None,
) -> list[Charge]:
    """Run vehicles that are answered by `give`."""

    class Caller:
        def __init__(self, *_: object, **__: object) -> None: ...

        def charge(self, body: bytes, key: str | None) -> HttpResponse:
            return give(body) if keyed is None else keyed(key or "")

    monkeypatch.setattr(under_test, "Caller", Caller)
    plan = Plan("steady", "", [Vehicle(n, at, 1.0) for n, at in enumerate(due, start=1)])
    behaviour = Behaviour(patience, 5.0, TAG, idempotent=keyed is not None)
    one = Runner(plan, GATEWAY, behaviour, time.monotonic, random.Random(1), watch, follow)
    one.run()
    return one.charges


def test_a_fault_of_the_tester_itself_fails_the_vehicle_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def give(body: bytes) -> HttpResponse:
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
    with pytest.raises(NoResponse, match="out of file descriptors; raise `ulimit -n`") as caught:
        GATEWAY.connect()
    assert caught.value.kind is FailureKind.UNREACHABLE
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

    def give(_: bytes) -> HttpResponse:
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


def replay(*answers: HttpResponse | NoResponse) -> tuple[list[str], Callable[[str], HttpResponse]]:
    """Answer keys one after the other; return also the list of keys that came."""
    keys: list[str] = []

    def give(key: str) -> HttpResponse:
        keys.append(key)
        answer = answers[len(keys) - 1]
        if isinstance(answer, NoResponse):
            raise answer
        return answer

    return keys, give


def unused(_: bytes) -> NoReturn:
    raise AssertionError


RUNNING = HttpResponse(409, {"location": "/sessions/s-1"}, b"{}")
REPLAYED = {"idempotency-replayed": "true"}


@pytest.mark.parametrize(
    "first",
    [NoResponse(FailureKind.RESET), NoResponse(FailureKind.REFUSED), RUNNING, REFUSED],
    ids=["broken", "refused", "still running", "told to come back"],
)
def test_a_vehicle_with_a_key_comes_back_with_the_same_one(
    monkeypatch: pytest.MonkeyPatch, first: HttpResponse | NoResponse
) -> None:
    keys, give = replay(first, CHARGED)
    (one,) = run(monkeypatch, unused, 0.0, patience=60.0, keyed=give)
    assert keys == [f"{TAG}000001"] * 2
    assert (one.outcome, one.tries, one.most_sessions) == (Outcome.CHARGED, 2, 1)
    assert OwnSide.of([one]).loose == 0  # the answer is of what the first try began


def test_a_vehicle_without_a_key_does_not_come_back_after_a_conflict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (one,) = run(monkeypatch, lambda _: RUNNING, 0.0, patience=60.0)
    assert (one.outcome, one.tries) == (Outcome.REJECTED, 1)


def test_a_refusal_that_is_replayed_ends_the_keys_session_and_the_next_key_begins_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = REFUSED._replace(headers={**REFUSED.headers, **REPLAYED})
    keys, give = replay(REFUSED, again, CHARGED)
    (one,) = run(monkeypatch, unused, 0.0, patience=60.0, keyed=give)
    assert keys == [f"{TAG}000001", f"{TAG}000001", f"{TAG}000001.2"]
    assert (one.outcome, one.most_sessions) == (Outcome.CHARGED, 2)


def test_a_try_whose_key_never_gets_an_answer_may_have_been_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, give = replay(NoResponse(FailureKind.RESET), REFUSED._replace(headers={}))
    (one,) = run(monkeypatch, unused, 0.0, patience=60.0, keyed=give)
    assert OwnSide.of([one]).loose == 1


ACCEPTED = HttpResponse(202, {"location": "/sessions/s-1"}, b"{}")


def test_an_accepted_vehicles_time_is_that_of_its_session_from_the_request_that_began_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def follow(charge: Charge, answer: HttpResponse) -> float:
        assert answer is ACCEPTED
        gevent.sleep(0.4)
        charge.outcome = Outcome.CHARGED
        return 0.3

    keys, give = replay(NoResponse(FailureKind.RESET), ACCEPTED)
    (one,) = run(monkeypatch, unused, 0.0, patience=60.0, keyed=give, follow=follow)
    assert len(keys) == 2
    # The first request, of which there was no answer, may have begun it.
    assert one.ended == pytest.approx(one.asked + 0.3)
    assert one.asked < 0.1


def test_a_session_that_is_followed_past_the_timeout_is_lost_and_may_be_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def follow(_: Charge, __: HttpResponse) -> float:
        raise gevent.Timeout(5)

    (one,) = run(monkeypatch, lambda _: ACCEPTED, 0.0, follow=follow)
    assert (one.outcome, one.reason) == (Outcome.FAILED, "no response in time")
    assert OwnSide.of([one]).loose == 1
