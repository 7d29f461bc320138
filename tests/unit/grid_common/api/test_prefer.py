import time
from contextlib import suppress

import pytest
from flask import Flask, request

from grid_common.api.prefer import prefers_async, wait_s
from grid_common.api.problems import BadRequest


def preferred(header: str | None) -> float:
    headers = {"Prefer": header} if header is not None else {}
    with Flask(__name__).test_request_context("/charge", headers=headers):
        return wait_s(request, 60)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 60),
        ("", 60),
        ("respond-async", 60),
        ("wait=30", 30),
        ("wait=0", 0),
        ("wait=0.25", 0.25),
        ("wait=1.23456", 1.23456),
        ("wait=600", 60),
        ("respond-async, wait=5", 5),
        ('respond-async; foo="x", Wait = "7"', 7),
        ("wait=5, handling=lenient", 5),
        ("wait=5; foo, handling=lenient", 5),
        ("await=5", 60),
    ],
)
def test_the_wait_is_what_the_caller_prefers_up_to_the_longest(
    header: str | None, expected: float
) -> None:
    assert preferred(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("wait=5", False),
        ("respond-async", True),
        (" Respond-ASYNC ", True),
        ("wait=5, respond-async", True),
        ("respond-async; a; b=1, wait=5", True),
        ("respond-async-not", False),
        ("handling; respond-async", False),
        ("wait respond-async", False),
    ],
)
def test_a_caller_may_prefer_not_to_wait_for_the_end(header: str | None, expected: bool) -> None:
    assert prefers_async(header) is expected


@pytest.mark.parametrize(
    "header", ["wait", "wait=", "wait=soon", "wait=-1", "wait=1e3", "wait=X5", "wait=٣"]
)
def test_an_invalid_preference_is_a_fault(header: str) -> None:
    with pytest.raises(BadRequest, match="Prefer"):
        preferred(header.encode().decode("latin-1"))


@pytest.mark.parametrize(
    "header", ["wait=" + " " * 30_000 + "x", "," * 30_000 + "wait=x", "wait" + " " * 30_000 + "x=1"]
)
def test_a_header_made_to_take_long_does_not(header: str) -> None:
    began = time.thread_time()
    with suppress(BadRequest):
        preferred(header)
    assert time.thread_time() - began < 0.5


def test_the_fault_of_an_invalid_preference_says_what_it_takes_and_is_short() -> None:
    with pytest.raises(BadRequest) as raised:
        preferred('handling=lenient, wait="2 minutes"')
    assert raised.value.document()["errors"] == [
        {"field": "Prefer", "detail": "wait='2 minutes': it takes seconds, as in wait=30"}
    ]
    with pytest.raises(BadRequest) as raised:
        preferred("wait=" + "9" * 21)
    assert raised.value.detail == f"Prefer: wait='{'9' * 20}': it takes seconds, as in wait=30"
