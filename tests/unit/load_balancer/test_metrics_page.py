"""From a substation's response to the text of its page."""

import gzip

import pytest

from grid_common.http.response import UpstreamResponse
from load_balancer.gauge import UnreadableGauge
from load_balancer.metrics_page import over_limit, page_text

LIMIT = 100_000


def page(body: bytes, coding: str = "", status: int = 200, location: str | None = None) -> str:
    return page_text(UpstreamResponse(status, "text/plain", None, body, location, coding), LIMIT)


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_page_is_taken_as_it_is(coding: str) -> None:
    assert page(b"caf\xc3\xa9 \xff", coding) == "caf\xe9 \ufffd"


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_a_page_that_came_compressed_is_unpacked(coding: str) -> None:
    assert page(gzip.compress(b"x" * LIMIT), coding) == "x" * LIMIT


@pytest.mark.parametrize("size", [LIMIT + 1, 60_000_000])
def test_a_compressed_page_is_unpacked_to_the_limit_alone(size: int) -> None:
    with pytest.raises(UnreadableGauge) as raised:
        page(gzip.compress(bytes(size)), "gzip")
    assert str(raised.value) == str(over_limit(LIMIT))
    assert "MAX_METRICS_BYTES" in str(raised.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (gzip.compress(b"x" * 1000, mtime=0)[:-1], "is truncated"),
        (b"", "is truncated"),
        (b"substation_current_load 3", "is declared as gzip, but is not"),
    ],
    ids=["cut short", "empty", "plain"],
)
def test_invalid_gzip_is_reported(body: bytes, why: str) -> None:
    with pytest.raises(UnreadableGauge, match=why):
        page(body, "gzip")


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "x" * 10_000])
def test_another_encoding_is_named(coding: str) -> None:
    with pytest.raises(UnreadableGauge, match=f"is encoded as '{coding[:20]}") as raised:
        page(b"", coding)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("status", "location", "why"),
    [
        (404, None, "its page answered 404 Not Found; it begins 'no such thing'"),
        (299, None, "its page answered 299; "),
        (401, None, "its page answered 401 Unauthorized: it wants a password"),
        (301, "/there", r"its page redirects to '/there' \(301 Moved Permanently\), which is not"),
        (307, None, r"its page redirects elsewhere \(307 Temporary Redirect\)"),
    ],
)
def test_a_response_that_is_not_a_page_is_named(
    status: int, location: str | None, why: str
) -> None:
    with pytest.raises(UnreadableGauge, match=why):
        page(b"no such thing", status=status, location=location)


def test_the_target_of_a_redirect_is_shown_printable_and_short() -> None:
    with pytest.raises(UnreadableGauge) as raised:
        page(b"", status=302, location="\x1b[31m" + "x" * 10_000)
    assert len(str(raised.value)) < 300
    assert str(raised.value).isprintable()
