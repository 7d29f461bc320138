"""Answers from bytes, however they are cut."""

import pytest

from grid_common.http_answer import Answer, AnswerReader, NotAnAnswer

LIMIT = 64
OK = b"HTTP/1.1 200 OK\r\n"


def read(*pieces: bytes) -> tuple[Answer | None, bool]:
    """Return the answer and whether the connection may be used again."""
    reader = AnswerReader()
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
    expected = (Answer(200, "text/plain", None, b"hello"), True)
    assert read(answer_bytes) == expected
    assert read(*[answer_bytes[i : i + 1] for i in range(len(answer_bytes))]) == expected


def test_one_reader_reads_one_answer_after_the_other() -> None:
    reader = AnswerReader()
    for number in (b"1", b"2"):
        reader.begin(LIMIT)
        answer = reader.feed(OK + b"Content-Length: 1\r\n\r\n" + number)
        assert answer is not None
        assert answer.body == number
        assert reader.reusable


def test_an_answer_that_ends_with_its_connection_is_whole_at_its_end() -> None:
    answer, reusable = read(b"HTTP/1.0 200 OK\r\n\r\nab", b"cd")
    assert answer is not None
    assert answer.body == b"abcd"
    assert not reusable


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
    assert answer == Answer(503, "", "2", b"")


def test_informational_answers_come_before_the_answer() -> None:
    answer, reusable = read(
        b"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\n" * 3 + OK + b"Content-Length: 1\r\n\r\n1"
    )
    assert answer == Answer(200, "", None, b"1")
    assert reusable


def test_an_answer_without_a_body_needs_no_length() -> None:
    assert read(b"HTTP/1.1 204 No Content\r\n\r\n") == (Answer(204, "", None, b""), True)


@pytest.mark.parametrize(
    "more", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale", b"x", b"\r\n\r\nHTTP/1.1 2"]
)
def test_more_than_the_answer_is_nobodys_answer(more: bytes) -> None:
    answer, reusable = read(OK + b"Content-Length: 1\r\n\r\n1" + more)
    assert answer is not None
    assert answer.body == b"1"
    assert not reusable


def test_a_connection_that_the_other_side_will_close_is_not_used_again() -> None:
    assert not read(OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n")[1]


@pytest.mark.parametrize(
    "answer_bytes",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: 65\r\n\r\n" + b"x" * 65,
        OK + b"\r\n" + b"x" * 65,
        OK + b"X: a\x00\r\n\r\n",
        OK + b"X: " + b"a" * 20_000,
        OK + b"X: a\r\n" * 4_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 4_000,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_what_is_no_answer_within_bounds_is_refused(answer_bytes: bytes) -> None:
    for size in (len(answer_bytes), 1000, 7):
        with pytest.raises(NotAnAnswer):
            read(*[answer_bytes[i : i + size] for i in range(0, len(answer_bytes), size)])
