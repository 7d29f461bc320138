"""Answers from bytes, however they are cut."""

import pytest

from grid_common.http.response import (
    BodyOverLimit,
    InvalidResponse,
    ResponseReader,
    UpstreamResponse,
)
from tests.support.allocations import traced_allocations

LIMIT = 64
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ONE = UpstreamResponse(200, "", None, b"1")


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def read(*pieces: bytes) -> tuple[UpstreamResponse | None, bool]:
    """Return the answer and whether the connection may be used again."""
    reader = ResponseReader()
    reader.begin(LIMIT)
    answer = None
    for piece in pieces:
        answer = answer or reader.feed(piece)
    return answer or reader.end(), reader.reusable


@pytest.mark.parametrize(
    "answer_bytes",
    [
        OK + b"Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
        OK
        + b"content-type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
    ids=["whole", "chunked"],
)
def test_it_does_not_matter_how_an_answer_is_cut(answer_bytes: bytes) -> None:
    expected = (UpstreamResponse(200, "text/plain", None, b"hello"), True)
    assert read(answer_bytes) == expected
    assert read(*pieces_of(answer_bytes, 1)) == expected


def test_one_reader_reads_one_answer_after_the_other() -> None:
    reader = ResponseReader()
    for number in (b"1", b"2"):
        reader.begin(LIMIT)
        answer = reader.feed(OK + b"Content-Length: 1\r\n\r\n" + number)
        assert answer is not None
        assert answer.body == number
        assert reader.reusable


def test_an_answer_that_ends_with_its_connection_is_whole_at_its_end() -> None:
    whole = UpstreamResponse(200, "", None, b"abcd")
    assert read(b"HTTP/1.0 200 OK\r\n\r\nab", b"cd") == (whole, False)


@pytest.mark.parametrize(
    "answer_bytes",
    [
        b"",
        OK,
        OK + b"Content-Length: 5\r\n\r\nhell",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_half_an_answer_is_none(answer_bytes: bytes) -> None:
    assert read(answer_bytes) == (None, False)


def test_what_a_problem_says_about_coming_again_is_kept() -> None:
    answer, _ = read(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer == UpstreamResponse(503, "", "2", b"")


def test_informational_answers_come_before_the_answer() -> None:
    informational = b"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\n" * 3
    assert read(informational + OK + b"Content-Length: 1\r\n\r\n1") == (ONE, True)


def test_an_answer_without_a_body_needs_no_length() -> None:
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n") == (UpstreamResponse(204, "", None, b""), True)


@pytest.mark.parametrize(
    "more", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale", b"x", b"\r\n\r\nHTTP/1.1 2"]
)
def test_bytes_after_the_response_are_no_response(more: bytes) -> None:
    assert read(OK + b"Content-Length: 1\r\n\r\n1" + more) == (ONE, False)


def test_a_connection_that_the_other_side_will_close_is_not_used_again() -> None:
    assert not read(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n")[1]


def refusal(answer_bytes: bytes) -> InvalidResponse:
    """Return what an answer is refused with, which is the same however it is cut."""
    found = []
    for size in (len(answer_bytes), 1000, 7):
        with pytest.raises(InvalidResponse) as raised:
            read(*pieces_of(answer_bytes, size))
        found.append(raised.value)
    assert len({(type(one), str(one)) for one in found}) == 1
    return found[0]


@pytest.mark.parametrize(
    "answer_bytes",
    [
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"X: a\x00\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\nContent-Length: -1\r\n\r\n{}",
    ],
)
def test_an_invalid_response_is_refused(answer_bytes: bytes) -> None:
    assert str(refusal(answer_bytes))


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 65\r\n",
        b"",
        b"Transfer-Encoding: identity\r\nContent-Length: 65\r\n",
        b"Transfer-Encoding: identity\r\n",
    ],
)
def test_a_body_beyond_its_limit_is_reported_apart(headers: bytes) -> None:
    refused = refusal(OK + headers + b"\r\n" + b"x" * 65)
    assert isinstance(refused, BodyOverLimit)
    assert "its body is over 64 bytes" in str(refused)


LONG_HEADERS = "its headers are over 16384 bytes"
LONG_OVERHEAD = "the overhead of its body is over 16384 bytes"
TWO_LENGTHS = "it has both a Content-Length and a Transfer-Encoding"
CONTROL_CHARACTER = "its reason phrase has a control character"
OTHER_PROTOCOL = "it switches to a protocol that was not requested"


@pytest.mark.parametrize(
    ("answer_bytes", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "expected http/, rtsp/ or ice/"),
        (OK + b"X: " + b"a" * 20_000, LONG_HEADERS),
        (OK + b"X: a\r\n" * 4_000, LONG_HEADERS),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, LONG_HEADERS),
        (OK + CHUNKED + b"\r\n" + b"0" * 17_000, LONG_OVERHEAD),
        (OK + CHUNKED + b"\r\n" + b"0" * 20_000, LONG_OVERHEAD),
        (OK + CHUNKED + b"\r\n0\r\n" + b"a: b\r\n" * 4_000, LONG_OVERHEAD),
        (OK + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", TWO_LENGTHS),
        (OK + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", TWO_LENGTHS),
        (b"HTTP/1.1 200 O\0K\r\n", CONTROL_CHARACTER),
        (b"HTTP/1.1 200 O\0K\r\nContent-Length: 1\r\n\r\n1", CONTROL_CHARACTER),
        (b"HTTP/1.1 200 \x1b[31mOK\r\nContent-Length: 1\r\n\r\n1", CONTROL_CHARACTER),
        (b"HTTP/1.1 200 OK\x7f\r\nContent-Length: 1\r\n\r\n1", CONTROL_CHARACTER),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            OTHER_PROTOCOL,
        ),
    ],
)
def test_what_is_no_response_or_too_much_is_refused_with_the_reason(
    answer_bytes: bytes, why: str
) -> None:
    assert str(refusal(answer_bytes)) == why


@pytest.mark.parametrize(
    ("codings", "shown"),
    [
        ([b"gzip"], "gzip"),
        ([b"gz\xe9p"], "gz\\xe9p"),
        ([b"chunked, identity"], "chunked, identity"),
        ([b"identity, chunked"], "identity, chunked"),
        ([b"identity", b"chunked"], "identity,chunked"),
        ([b"chunked", b"gzip"], "chunked,gzip"),
    ],
)
def test_a_coding_that_was_not_requested_is_refused(codings: list[bytes], shown: str) -> None:
    headers = b"".join(b"Transfer-Encoding: %s\r\n" % coding for coding in codings)
    why = f"its Transfer-Encoding is '{shown}', which was not requested"
    assert str(refusal(OK + headers + b"\r\n0\r\n\r\n")) == why


@pytest.mark.parametrize("coding", [b"identity", b"Identity"])
@pytest.mark.parametrize("length_first", [True, False])
def test_identity_is_not_a_coding_and_its_length_counts(coding: bytes, length_first: bool) -> None:
    headers = [b"Content-Length: 5\r\n", b"Transfer-Encoding: " + coding + b"\r\n"]
    if not length_first:
        headers.reverse()
    answer_bytes = OK + b"".join(headers) + b"\r\nhello"
    for size in (len(answer_bytes), 7, 1):
        answer = UpstreamResponse(200, "", None, b"hello")
        assert read(*pieces_of(answer_bytes, size)) == (answer, False)


def test_identity_without_a_length_ends_with_its_connection() -> None:
    whole = UpstreamResponse(200, "", None, b"hello")
    assert read(OK + b"Transfer-Encoding: identity\r\n\r\nhel", b"lo") == (whole, False)


def test_identity_of_no_length_is_whole_at_once() -> None:
    reader = ResponseReader()
    reader.begin(LIMIT)
    head = OK + b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n"
    assert reader.feed(head) == UpstreamResponse(200, "", None, b"")


def test_bytes_after_a_response_of_identity_are_no_response() -> None:
    head = OK + b"Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n"
    assert read(head + b"1HTTP/1.1 200 OK\r\n\r\n") == (ONE, False)


@pytest.mark.parametrize("reason", [b"", b"Very Fine", b"\xc3\xa9t\xc3\xa9", b"a\tb"])
def test_a_reason_phrase_says_what_it_likes(reason: bytes) -> None:
    answer, _ = read(b"HTTP/1.1 200 " + reason + b"\r\nContent-Length: 1\r\n\r\n1")
    assert answer == ONE


def test_location_and_content_encoding_are_kept() -> None:
    answer, _ = read(
        b"HTTP/1.1 301 Gone\r\nLocation: /there\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 1\r\n\r\n1"
    )
    assert answer == UpstreamResponse(301, "", None, b"1", "/there", "gzip")


def test_what_the_other_side_tells_of_its_load_is_kept() -> None:
    answer, _ = read(
        OK + b"Endpoint-Load-Metrics: TEXT named_metrics.load=\xe9\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer == UpstreamResponse(
        200, "", None, b"", load_metrics="TEXT named_metrics.load=\xe9"
    )


def test_the_beginning_of_a_body_can_be_enough() -> None:
    reader = ResponseReader()
    reader.begin(LIMIT, keep=3)
    reader.feed(OK + b"Content-Length: 64\r\n\r\nab")
    answer = reader.feed(b"cd" + b"x" * 60)
    assert answer is not None
    assert answer.body == b"abc"
    reader.begin(LIMIT, keep=3)
    with pytest.raises(BodyOverLimit):
        reader.feed(OK + b"\r\n" + b"x" * 65)


def test_signs_of_life_have_room_that_can_grow() -> None:
    reader = ResponseReader()
    reader.begin(LIMIT)
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    most = reader.overhead_limit // len(processing)
    for _ in range(most):
        reader.feed(processing)
    reader.overhead_limit += len(processing)
    reader.feed(processing)
    with pytest.raises(InvalidResponse, match="its headers are over"):
        reader.feed(processing)


def test_a_body_of_identity_that_comes_in_pieces_ends_with_its_length() -> None:
    head = OK + b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\n"
    answer, _ = read(head + b"ab", b"cdXX")
    assert answer == UpstreamResponse(200, "", None, b"abcd")


def test_headers_have_room_for_16_kib() -> None:
    reader = ResponseReader()
    reader.begin(LIMIT)
    head = OK + b"X: "
    assert reader.feed(head + b"a" * (16_384 - len(head))) is None
    with pytest.raises(InvalidResponse, match="its headers are over 16384 bytes"):
        reader.feed(b"a")


def test_a_body_makes_room_for_itself() -> None:
    reader = ResponseReader()
    reader.begin(100_000)
    reader.feed(OK + b"Content-Length: 60000\r\n\r\n")
    assert reader.feed(b"x" * 40_000) is None
    answer = reader.feed(b"x" * 20_000)
    assert answer is not None
    assert len(answer.body) == 60_000


def test_a_trailer_is_not_a_header() -> None:
    answer, _ = read(
        OK + b"Content-Type: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Type: b\r\n\r\n"
    )
    assert answer == UpstreamResponse(200, "a", None, b"")


def test_an_idle_connection_keeps_nothing_of_its_last_response() -> None:
    reader = ResponseReader()
    size = 500_000
    with traced_allocations() as allocations:
        reader.begin(size)
        response = reader.feed(OK + b"Content-Length: %d\r\n\r\n" % size + bytes(size))
        assert response is not None
        assert len(response.body) == size
        del response
        assert allocations.held < size / 10
