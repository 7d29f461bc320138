"""Bodies as JSON: what declares them, and how many fields are looked at."""

import time

import orjson
import pytest
from werkzeug.wrappers import Request

from grid_common.api.json_body import is_json, media_type, parse_body
from grid_common.api.problems import BadRequest


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        " application/json ; charset=utf-8",
        "application/json;a=b;" * 100,
        "application/problem+json",
        "application/jsonp",
        "text/json",
        "text/plain; application/json",
        "json",
        "",
    ],
)
def test_a_content_type_is_json_where_werkzeug_says_so(content_type: str) -> None:
    environ = {"CONTENT_TYPE": content_type}
    assert is_json(environ) is Request(environ).is_json
    assert media_type(environ) == Request(environ).mimetype


def test_without_a_content_type_it_is_not_json() -> None:
    assert not is_json({})
    assert media_type({}) == ""


def test_a_hundred_fields_are_looked_at_and_thousands_cost_next_to_nothing() -> None:
    assert len(parse_body(orjson.dumps({str(n): n for n in range(100)}))) == 100

    many = orjson.dumps({str(n): n for n in range(7_000)})
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(BadRequest) as refused:
            parse_body(many)
    assert (time.process_time() - began) / 20 < 0.005
    assert refused.value.document()["errors"] == [
        {"field": "body", "detail": "has 7000 fields; send only those that are described"}
    ]
