"""Sessions that were accepted, asked for until they end."""

import time
from typing import Any

import gevent
import pytest

from load_tester import session_follower as under_test
from load_tester.pages import PageMissing
from load_tester.response import HttpResponse
from load_tester.session_follower import SessionFollower
from load_tester.vehicle import Charge, Outcome
from tests.unit.load_tester.builders import charge

URL = "http://gateway:8080/grid"
ACCEPTED = {"location": "/grid/sessions/s-1"}
CHARGED = {
    "state": "charged",
    "substation": "substation1",
    "energy_kwh": 10.0,
    "began": "2026-11-26T16:00:00.250Z",
    "ended": "2026-11-26T16:00:03.750Z",
}
AWAY = PageMissing("refused the connection")


class Pages:
    """Answers each page that is asked for with the next of its documents."""

    documents: list[dict[str, Any] | PageMissing]
    asked: list[str]

    def __init__(self, *_: object) -> None: ...

    def document(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        document = self.documents.pop(0) if len(self.documents) > 1 else self.documents[0]
        if isinstance(document, PageMissing):
            raise document
        return document


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> type[Pages]:
    Pages.documents, Pages.asked = [CHARGED], []
    monkeypatch.setattr(under_test, "Pages", Pages)
    return Pages


def followed(headers: dict[str, str]) -> tuple[Charge, float | None]:
    one = charge(outcome=Outcome.ACCEPTED, status=202)
    return one, SessionFollower(URL, None).follow(one, HttpResponse(202, headers, b"{}"))


def test_a_session_is_asked_for_until_its_end_also_past_a_gateway_that_is_away(
    pages: type[Pages],
) -> None:
    pages.documents = [{"state": "charging", "predicted_end_s": 0.1}, AWAY, CHARGED]
    one, took_s = followed(ACCEPTED)
    assert pages.asked == ["http://gateway:8080/grid/sessions/s-1"] * 3
    assert (one.outcome, one.energies, took_s) == (Outcome.CHARGED, {"substation1": 10.0}, 3.5)


def test_a_session_without_reported_times_has_none(pages: type[Pages]) -> None:
    pages.documents = [{**CHARGED, "ended": None}]
    assert followed(ACCEPTED)[1] is None


@pytest.mark.parametrize(
    "location", ["", "http://elsewhere:8080/sessions/s-1", "https://gateway:8080/x", "http://["]
)
def test_an_address_that_is_not_the_gateways_is_not_asked(
    pages: type[Pages], location: str
) -> None:
    one, took_s = followed({"location": location})
    assert (one.outcome, took_s, pages.asked) == (Outcome.ACCEPTED, None, [])


def test_a_session_that_is_not_there_is_a_loss_with_its_reason(pages: type[Pages]) -> None:
    pages.documents = [PageMissing("answered 404", 404)]
    one, _ = followed(ACCEPTED)
    assert (one.outcome, one.reason) == (Outcome.FAILED, "accepted, but its session answered 404")


def test_all_sessions_together_are_asked_for_a_hundred_times_a_second_at_most(
    pages: type[Pages],
) -> None:
    follower = SessionFollower(URL, None)
    began = time.monotonic()
    gevent.joinall(
        [
            gevent.spawn(follower.follow, charge(n), HttpResponse(202, ACCEPTED, b"{}"))
            for n in range(60)
        ],
        raise_error=True,
    )
    assert len(pages.asked) == 60
    assert time.monotonic() - began > 0.6
