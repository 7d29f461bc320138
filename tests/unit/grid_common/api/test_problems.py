"""Errors as callers see them."""

from collections.abc import Callable
from unittest.mock import Mock, call

import pytest
from flask import Flask, abort, g
from werkzeug.test import TestResponse

from grid_common.api import problems
from grid_common.api.problem_type import problem_type
from grid_common.api.problems import BadRequest, FieldFault, Problem, Unavailable


def answer_to(raising: Callable[[], object], method: str = "GET") -> tuple[TestResponse, Mock]:
    """Have an app answer where a view raises; return the answer and the log."""
    app, log = Flask(__name__), Mock(spec=["exception"])
    app.extensions["log"] = log
    problems.register_problem_handlers(app, lambda error: f"explained: {error.code}")

    def view() -> str:
        g.request_id = "r1"
        raising()
        return "well"

    app.add_url_rule("/", view_func=view)
    return app.test_client().open("/", method=method), log


def raising(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def test_a_problem_is_answered_with_its_document_and_headers() -> None:
    problem = Problem("it broke", session_id="s1", headers={"X-Odd": "1"}, extra=[1])
    answer, log = answer_to(raising(problem))

    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert answer.headers["X-Odd"] == "1"
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "detail": "it broke",
        "extra": [1],
        "session_id": "s1",
    }
    assert not log.exception.called


def test_each_fault_of_a_request_is_reported_in_words_and_by_field() -> None:
    answer, _ = answer_to(
        raising(BadRequest([FieldFault("kwh", "is 0"), FieldFault("soc", "is 9")]))
    )

    assert answer.status_code == 400
    assert answer.get_json() == {
        "type": "urn:ev-grid:problem:bad-request",
        "title": "The request is not valid",
        "status": 400,
        "detail": "kwh: is 0; soc: is 9",
        "errors": [{"field": "kwh", "detail": "is 0"}, {"field": "soc", "detail": "is 9"}],
    }


@pytest.mark.parametrize(("after_s", "reported"), [(-1, "1"), (0, "1"), (1, "1"), (1.01, "2")])
def test_an_unavailable_service_says_when_to_retry_in_whole_seconds(
    after_s: float, reported: str
) -> None:
    problem = Unavailable("full", "no point is free", retry_after_s=after_s, session_id="s1")
    answer, _ = answer_to(raising(problem))

    assert problem.reason == "full"
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, reported)
    assert answer.get_json()["type"] == "urn:ev-grid:problem:full"
    assert answer.get_json()["session_id"] == "s1"


def test_an_error_of_the_framework_is_explained_and_keeps_its_headers() -> None:
    answer, _ = answer_to(lambda: None, method="DELETE")

    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "explained: 405",
    }
    assert answer_to(lambda: abort(404))[0].get_json()["title"] == "Not Found"


def test_an_unexpected_error_is_logged_and_not_shown() -> None:
    answer, log = answer_to(raising(RuntimeError("a secret")))

    assert answer.status_code == 500
    assert answer.get_json()["detail"] == ("The service met an unexpected error; see its log.")
    assert log.exception.call_args_list == [call("unexpected error", request_id="r1")]


def test_a_process_without_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        pass

    end = Mock(side_effect=Ended)
    monkeypatch.setattr("grid_common.api.problems.os._exit", end)
    with pytest.raises(Ended):
        answer_to(raising(MemoryError()))
    assert end.call_args_list == [call(1)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"type": "urn:x"}', "urn:x"),
        (b'{"type": 5}', None),
        (b'{"type": null}', None),
        (b"{}", None),
        (b'["type"]', None),
        (b"{", None),
    ],
)
def test_the_type_of_a_problem_is_a_text_or_none(body: bytes, found: str | None) -> None:
    assert problem_type("application/problem+json", body) == found
    assert problem_type("application/json", body) is None
