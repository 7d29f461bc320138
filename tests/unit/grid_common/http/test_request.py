"""Requests from bytes, however they are cut."""

import gc
import itertools
from typing import Any
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid_common.http.refused import Malformed
from grid_common.http.request import Request, RequestReader
from tests.support.allocations import traced_allocations

HEAD = b"POST /charge HTTP/1.1\r\nHost: grid\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = CHUNKED + b"1\r\n1\r\n0\r\n\r\n"
BODY_LIMIT = 64


def read(*pieces: bytes, body_limit: int = BODY_LIMIT) -> list[Request]:
    reader = RequestReader({"REMOTE_ADDR": "10.0.0.7"}, body_limit)
    return [request for piece in pieces for request in feed(reader, piece)]


def feed(reader: RequestReader, piece: bytes) -> list[Request]:
    """Give the reader a piece and take every request that is whole then."""
    first = reader.read(piece)
    return [] if first is None else [first, *iter(reader.read, None)]


def environ(*pieces: bytes) -> dict[str, Any]:
    [request] = read(*pieces)
    return request.environ


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def body(*pieces: bytes) -> bytes:
    content: bytes = environ(*pieces)["wsgi.input"].read()
    return content


def test_a_request_is_a_wsgi_environ() -> None:
    made = environ(
        b"POST /a%20b?c=%20 HTTP/1.1\r\nHost: grid:8080\r\nContent-Type: application/json\r\n"
        b"X-Request-ID: r1\r\nContent-Length: 2\r\n\r\n{}"
    )
    content = made.pop("wsgi.input").read()
    assert content == b"{}"
    assert made == {
        "REMOTE_ADDR": "10.0.0.7",
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20",
        "HTTP_HOST": "grid:8080",
        "HTTP_X_REQUEST_ID": "r1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "2",
    }


@pytest.mark.parametrize(
    "request_bytes",
    [
        HEAD + b"Content-Length: 12\r\n\r\n" + b'{"kwh": 6.5}',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"kwh\r\n7\r\n": 6.5}\r\n0\r\n\r\n',
    ],
    ids=["whole", "chunked"],
)
def test_it_does_not_matter_how_a_request_is_cut(request_bytes: bytes) -> None:
    one_by_one = pieces_of(request_bytes, 1)
    assert body(request_bytes) == body(*one_by_one) == b'{"kwh": 6.5}'
    assert environ(*one_by_one)["CONTENT_LENGTH"] == "12"


def test_requests_sent_ahead_come_in_their_order() -> None:
    requests = read((HEAD + b"Content-Length: 1\r\n\r\n1" + HEAD + b"\r\n") * 2 + HEAD)
    assert [request.environ["wsgi.input"].read() for request in requests] == [b"1", b"", b"1", b""]
    assert len({id(request.environ) for request in requests}) == 4


def test_a_reader_is_idle_between_requests_alone() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    assert reader.idle
    feed(reader, HEAD)
    assert not reader.idle
    feed(reader, b"Content-Length: 1\r\n\r\n")
    assert not reader.idle
    feed(reader, b"1")
    assert reader.idle


def test_headers_of_one_name_are_joined_and_a_trailer_or_a_lookalike_is_none() -> None:
    made = environ(
        HEAD + b"Prefer: wait=1\r\nPrefer: b\r\nX_Request_ID: forged\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Request-ID: forged\r\n\r\n"
    )
    assert made["HTTP_PREFER"] == "wait=1,b"
    assert "HTTP_X_REQUEST_ID" not in made


@pytest.mark.parametrize(
    ("head", "kept_alive"),
    [
        (HEAD + b"\r\n", True),
        (HEAD + b"Connection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_unless_the_caller_ends_it(head: bytes, kept_alive: bool) -> None:
    [request] = read(head)
    assert request.keep_alive is kept_alive


def test_what_follows_the_last_request_of_a_connection_is_passed_over() -> None:
    [request] = read(HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n1\r\n")
    assert request.environ["wsgi.input"].read() == b"1"


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"Content-Length: 65\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n", b"41\r\n" + b"x" * 65),
        (b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n40\r\n" + b"x" * 64),
        (b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 65\r\n", b""),
    ],
    ids=["announced", "a chunk", "chunks together", "upgrade"],
)
def test_of_a_body_that_is_too_long_the_app_gets_the_length_at_once(
    head: bytes, rest: bytes
) -> None:
    [request] = read(HEAD + head + b"\r\n" + rest, b"x" * 1000)
    assert request.environ["CONTENT_LENGTH"] == "65"
    assert not request.keep_alive
    assert request.environ["wsgi.input"].read() == b""


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_wish_for_another_protocol_is_passed_over_and_its_body_read(cut: int) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"
    [request] = read(HEAD + upgrade + b"body"[:cut], b"body"[cut:] + b"more")
    assert request.environ["wsgi.input"].read() == b"body"
    assert not request.keep_alive


def test_a_caller_that_waits_to_be_reported_to_send_is_noticed() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    assert not feed(reader, HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.expects_continue
    assert len(feed(reader, b"1")) == 1
    assert not reader.expects_continue


def test_a_caller_of_http_1_0_waits_for_nothing_and_is_not_kept() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    feed(reader, b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert not reader.expects_continue
    [request] = read(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert not request.keep_alive


def test_what_follows_a_body_that_is_too_long_does_not_change_its_request() -> None:
    whole = HEAD + b"Content-Length: 65\r\n\r\n" + b"x" * 65
    [request] = read(whole + b"GET /other HTTP/1.1\r\nHost: other\r\n\r\n")
    assert request.environ["REQUEST_METHOD"] == "POST"
    assert request.environ["PATH_INFO"] == "/charge"
    assert request.environ["HTTP_HOST"] == "grid"


def head_of(size: int) -> bytes:
    longest = b"X: " + b"a" * 8_192 + b"\r\n"
    head = HEAD + 3 * longest
    return head + b"Y: " + b"a" * (size - len(head) - 7) + b"\r\n\r\n"


def line_of(size: int) -> bytes:
    return b"GET /" + b"a" * (size - 16) + b" HTTP/1.1\r\n" + HEAD.partition(b"\r\n")[2] + b"\r\n"


def in_chunks(count: int, data: bytes) -> bytes:
    return HEAD + CHUNKED + count * (b"%x\r\n%s\r\n" % (len(data), data)) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("longest", "too_long", "status"),
    [
        (head_of(32_768), head_of(32_769), 431),
        (line_of(8_192), line_of(8_193), 414),
        (line_of(8_192), line_of(8_193).replace(b"\r\n\r\n", b"\r\n\x00\r\n\r\n"), 414),
        (HEAD + b"a:b\r\n" * 99 + b"\r\n", HEAD + b"a:b\r\n" * 100 + b"\r\n", 431),
        (
            HEAD + b"a: " + b"b" * 8_192 + b"\r\n\r\n",
            HEAD + b"a: " + b"b" * 8_193 + b"\r\n\r\n",
            431,
        ),
        (in_chunks(998, b"x"), in_chunks(1_000, b"x"), 400),
        (in_chunks(1, b"\r\n\r\n" * 490), in_chunks(1, b"\r\n\r\n" * 510), 400),
    ],
    ids=["head", "line", "line, and worse behind it", "headers", "header", "chunks", "their likes"],
)
@pytest.mark.parametrize("size", [40_000, 16_384, 1_448, 31, 1])
def test_a_limit_is_the_same_however_a_request_is_cut(
    longest: bytes, too_long: bytes, status: int, size: int
) -> None:
    assert len(read(*pieces_of(longest, size), body_limit=5_000)) == 1
    with pytest.raises(Malformed) as refused:
        read(*pieces_of(too_long, size), body_limit=5_000)
    assert refused.value.status == status


@pytest.mark.parametrize("behind", [b"\x00", b"no request\r\n\r\n", b"GET / HTTP/9.9\r\n"])
@pytest.mark.parametrize("body", [b"\r\n", b"Content-Length: 1\r\n\r\n1", CHUNKS])
def test_what_is_behind_a_whole_request_does_not_take_it_away(body: bytes, behind: bytes) -> None:
    reader = RequestReader({}, BODY_LIMIT)
    made = reader.read(HEAD + body + behind)
    assert made is not None
    assert made.keep_alive
    assert reader.has_more
    with pytest.raises(Malformed):
        reader.read()


def test_blank_lines_before_a_request_are_nothing() -> None:
    assert len(read(b"\r\n" * 5_000, b"\r", b"\n" + HEAD + b"\r\n" + b"\r\n" + HEAD + b"\r\n")) == 2


@pytest.mark.parametrize("blank", [b"\r\n\r\n", b"\r\n\r\n\r\n", b"\n\n"])
@pytest.mark.parametrize("cut", [None, 4])
def test_blank_lines_in_one_piece_with_a_request_are_none_of_it(
    blank: bytes, cut: int | None
) -> None:
    whole = HEAD + b"\r\n"
    [plain] = read(whole)
    if cut is None:
        [behind] = read(blank + whole)
    else:
        [behind] = read(blank + whole[:cut], whole[cut:])
    assert (behind.environ["REQUEST_METHOD"], behind.size) == ("POST", plain.size)


def test_of_what_was_read_nothing_is_kept_before_the_next_request() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    assert reader.read(HEAD + b"\r\nGET") is not None
    assert reader.size == len(b"GET")


REQUESTS = (
    HEAD + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    HEAD + b"Content-Length: 9\r\n\r\n\r\n\r\n\r\n\r\n0",
    HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n8\r\n\r\n\r\n\r\n\r\n\r\n1;x=y\r\n0\r\n0\r\na: b\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n000\r\n\r\n",
)


@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6), st.data())
def test_requests_are_the_same_one_by_one_and_sent_ahead_however_they_are_cut(
    requests: list[bytes], data: st.DataObject
) -> None:
    def reported(request: Request) -> dict[str, Any]:
        return request.environ | {"wsgi.input": request.environ["wsgi.input"].read()}

    stream = b"".join(requests)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]

    assert [reported(one) for one in read(*pieces)] == [
        reported(one) for request in requests for one in read(request)
    ]


def test_what_waits_behind_a_request_takes_no_more_memory_than_its_bytes() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    ahead = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 500
    with traced_allocations() as allocations:
        first = reader.read(ahead)
        assert first is not None
        assert allocations.held < len(ahead) + 8_000
        assert len(ahead) - 100 < reader.size < len(ahead) + 1_000


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"".join(b"h%02d:b\r\n" % n for n in range(99)),
        HEAD + b"X: " + b"a" * 30_000,
        HEAD + b"Content-Length: 60000\r\n\r\n" + b" " * 50_000,
    ],
    ids=["headers", "a header", "a body"],
)
def test_a_reader_reports_how_much_memory_it_takes(data: bytes) -> None:
    with traced_allocations() as allocations:
        before = allocations.held
        reader = RequestReader({}, 65_536)
        for piece in pieces_of(data, 1000):
            feed(reader, piece)
        taken = allocations.held - before
    assert taken < reader.size * 1.3 + 4_000
    assert reader.size < taken * 1.5


def test_a_body_in_small_chunks_takes_no_more_memory_than_it_is_long() -> None:
    size = 50_000
    reader = RequestReader({}, size)
    feed(reader, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    with traced_allocations() as allocations:
        for _ in range(size // 50):
            feed(reader, b"32\r\n" + b"a" * 50 + b"\r\n")
        assert allocations.held < 3 * size


def test_a_reader_that_is_closed_needs_no_garbage_collector() -> None:
    gc.disable()
    try:
        reader = RequestReader({}, BODY_LIMIT)
        feed(reader, HEAD + b"\r\n")
        reader.close()
        gone = ref(reader)
        del reader
        assert gone() is None
    finally:
        gc.enable()


def refusal(request_bytes: bytes) -> tuple[int, str]:
    """Return the status and the message, which are the same however the request is cut."""
    found = set()
    for size in (len(request_bytes), 1000, 7):
        with pytest.raises(Malformed) as refused:
            read(*pieces_of(request_bytes, size), body_limit=5_000)
        found.add((refused.value.status, refused.value.detail))
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        HEAD + CHUNKED + b"-1\r\n",
        HEAD + b"X: a\r\n folded\r\n\r\n",
        HEAD + b"X : a\r\n\r\n",
        HEAD + b"X: a\x00b\r\n\r\n",
    ],
)
def test_what_the_parser_refuses_is_a_bad_request(request_bytes: bytes) -> None:
    status, detail = refusal(request_bytes)
    assert status == 400
    assert detail.startswith("The request cannot be read: ")


LONG_HOST = (
    "Host: takes one value, the name or address of this server, at most 261 ASCII characters."
)
NO_PATH = "The request target is not a path."
NO_HTTP = "Only HTTP is supported; use HTTP/1.1."
LONG_LINE = "The request line is over 8192 bytes."
LONG_HEAD = "The request line and headers are over 32768 bytes."
MANY_HEADERS = "There are over 100 headers."
LONG_WRAPPING = "The chunks of the body have over 32768 bytes of wrapping."


@pytest.mark.parametrize(
    ("request_bytes", "status", "detail"),
    [
        (
            b"\x16\x03\x01\x02\x00\x01\x00",
            400,
            "The request cannot be read: Invalid method encountered.",
        ),
        (b"GET /\r\n\r\n", 505, "HTTP/0.9 is not supported; use HTTP/1.1."),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            400,
            "Host: is missing; send the name or address of this server.",
        ),
        (
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "Transfer-Encoding is not part of HTTP/1.0; use HTTP/1.1.",
        ),
        (HEAD + b"Host: other\r\n\r\n", 400, LONG_HOST),
        (b"GET / HTTP/1.1\r\nHost: " + b"a" * 262 + b"\r\n\r\n", 400, LONG_HOST),
        (b"GET / HTTP/1.1\r\nHost: \xe4.example\r\n\r\n", 400, LONG_HOST),
        (b"GET / HTTP/1.0\r\nHost: \xe4.example\r\n\r\n", 400, LONG_HOST),
        (
            HEAD + b"Transfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
            400,
            "Upgrade: omit it from a request with a Transfer-Encoding.",
        ),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400, NO_PATH),
        (b"OPTIONS /healthz RTSP/1.0\r\nHost: a\r\n\r\n", 400, NO_HTTP),
        (b"SOURCE /healthz ICE/1.0\r\nHost: a\r\n\r\n", 400, NO_HTTP),
        (line_of(8_193), 414, LONG_LINE),
        (b"GET /" + b"a" * 40_000, 414, LONG_LINE),
        (b"GET /" + b"a" * 8_192 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, LONG_LINE),
        (head_of(32_769), 431, LONG_HEAD),
        (HEAD + b"X: " + b"a" * 40_000, 431, LONG_HEAD),
        (HEAD + b"X-Long: " + b"x" * 8_193 + b"\r\n\r\n", 431, "X-Long: it is over 8192 bytes."),
        (HEAD + b"a:b\r\n" * 100 + b"\r\n", 431, MANY_HEADERS),
        (HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(100)) + b"\r\n", 431, MANY_HEADERS),
        (HEAD + b"X: a\r\n" * 8_000, 431, MANY_HEADERS),
        (HEAD + CHUNKED + b"1\r\nx\r\n" * 1_001, 400, "The body comes in over 1000 chunks."),
        (HEAD + CHUNKED + b"0" * 40_000, 400, LONG_WRAPPING),
        (HEAD + CHUNKED + b"0\r\n" + b"a: b\r\n" * 8_000, 400, LONG_WRAPPING),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_malformed_request_is_refused_in_whatever_pieces_it_arrives(
    request_bytes: bytes, status: int, detail: str
) -> None:
    assert refusal(request_bytes) == (status, detail)


def test_a_reader_that_has_nothing_has_no_more() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    assert not reader.has_more
    assert reader.read(HEAD) is None
    assert not reader.has_more
    assert reader.read(b"\r\n" + HEAD) is not None
    assert reader.has_more
    assert reader.read() is None
    assert not reader.has_more


def test_a_host_may_be_as_long_as_a_name_and_a_port() -> None:
    assert environ(b"GET / HTTP/1.1\r\nHost: " + b"a" * 261 + b"\r\n\r\n")["HTTP_HOST"] == "a" * 261
    assert "HTTP_HOST" not in environ(b"GET / HTTP/1.0\r\n\r\n")


def test_of_a_name_of_a_header_64_characters_are_read() -> None:
    made = environ(HEAD + b"a" * 64 + b": 1\r\n" + b"b" * 65 + b": 1\r\n\r\n")
    assert made["HTTP_" + "A" * 64] == "1"
    assert not any("B" * 65 in key for key in made)


def test_a_target_without_a_path_or_a_query_is_the_root() -> None:
    made = environ(b"GET http://grid HTTP/1.1\r\nHost: grid\r\n\r\n")
    assert (made["PATH_INFO"], made["QUERY_STRING"]) == ("/", "")


def test_of_a_value_only_blanks_and_tabs_are_cut_off() -> None:
    made = environ(
        b"GET / HTTP/1.1\r\nHost: \t grid:8080 \t\r\nX-Request-ID: X1X \r\n"
        b"X-A: \t \xa0X1X\xa0\t \r\n\r\n"
    )
    assert made["HTTP_HOST"] == "grid:8080"
    assert made["HTTP_X_REQUEST_ID"] == "X1X"
    assert made["HTTP_X_A"] == "\xa0X1X\xa0"


def test_the_wrapping_of_chunks_may_be_as_long_as_its_limit() -> None:
    assert read(HEAD + CHUNKED + b"0" * 32_768) == []
    with pytest.raises(Malformed):
        read(HEAD + CHUNKED + b"0" * 32_769)


def test_a_request_for_another_protocol_needs_no_body() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert environ(head)["CONTENT_LENGTH"] == "0"


def test_a_body_may_be_as_long_as_the_limit() -> None:
    whole = b"x" * BODY_LIMIT
    assert body(HEAD + b"Content-Length: %d\r\n\r\n" % BODY_LIMIT + whole) == whole
    assert body(HEAD + CHUNKED + b"%x\r\n" % BODY_LIMIT + whole + b"\r\n0\r\n\r\n") == whole
    [request] = read(HEAD + b"Content-Length: %d\r\n\r\n" % BODY_LIMIT + whole)
    assert request.keep_alive is True


def test_a_request_takes_the_memory_of_its_body_too_and_names_no_chunks_to_the_app() -> None:
    head = HEAD + b"Content-Length: %02d\r\n\r\n"
    [empty], [full] = read(head % 0), read(head % 50 + b"x" * 50)
    assert full.size - empty.size == 50
    assert empty.size > len(head)
    assert "HTTP_TRANSFER_ENCODING" not in environ(HEAD + CHUNKS)


def test_a_reader_is_empty_before_and_after_a_request() -> None:
    reader = RequestReader({}, BODY_LIMIT)
    assert (reader.has_more, reader.size, reader.expects_continue) == (False, 0, False)
    assert reader.read(HEAD + b"\r\n") is not None
    assert (reader.has_more, reader.size, reader.expects_continue) == (False, 0, False)
