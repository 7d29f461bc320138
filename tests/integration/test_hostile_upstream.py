"""A substation that attacks whoever asks it: the client towards the next hop.

Whatever comes back ends in bounded time and memory, as an answer within limits or an UpstreamError,
and the next request gets the answer to itself. `tests/e2e/hostile` does it to a running balancer.
"""

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from grid_common.http.client import (
    ProtocolError,
    ReadError,
    Upstream,
    UpstreamError,
    UpstreamResponse,
)
from grid_common.http.response import ResponseReader
from tests.support.allocations import traced_allocations
from tests.support.hostile_answers import BOMB, GARBAGE, MUDDLE
from tests.support.raw_substation import MOMENT_S, Bytes, RawSubstation, http, raw_substation

LIMIT = 65_536
# The client may hold a few header lines of 64 KiB; it may not hold what a substation cares to send.
MAX_MEMORY = 16_000_000
# How long the client waits for an answer that may never end, seconds.
ATTACKED_S = 0.4


@pytest.fixture
def peak() -> Iterator[None]:
    """Hold the test to its memory."""
    with traced_allocations() as allocations:
        yield
        assert allocations.peak < MAX_MEMORY


def ask(
    substation: RawSubstation, upstream: Upstream, within_s: float = 10
) -> UpstreamResponse | UpstreamError:
    """Ask in a thread, so that a client that does not come to an end fails the test."""
    came: list[UpstreamResponse | UpstreamError] = []

    def request() -> None:
        try:
            came.append(
                upstream.request("POST", "/charge", body=b"{}", within_s=within_s, limit=LIMIT)
            )
        except UpstreamError as error:
            came.append(error)

    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(within_s + 10)
    if thread.is_alive():
        substation.close()
        thread.join(5)
        pytest.fail(f"the client was still reading after {within_s + 10} s")
    assert came, "the client raised something else"
    return came[0]


def client(substation: RawSubstation) -> Upstream:
    return Upstream(substation.url, connect_timeout_s=1, connections=1)


@pytest.mark.usefixtures("peak")
@pytest.mark.parametrize("attack", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_error_and_the_next_request_gets_its_own_answer(attack: Bytes) -> None:
    with raw_substation(attack, http(b"mine")) as substation:
        upstream = client(substation)

        first = ask(substation, upstream, within_s=ATTACKED_S)
        second = ask(substation, upstream)

    assert isinstance(first, ProtocolError | ReadError)
    assert 0 < len(str(first)) < 300
    assert isinstance(second, UpstreamResponse)
    assert second.body == b"mine"


@pytest.mark.usefixtures("peak")
@pytest.mark.parametrize("attack", MUDDLE.values(), ids=MUDDLE)
def test_a_muddled_answer_ends_and_the_next_request_gets_its_own_answer(attack: Bytes) -> None:
    with raw_substation(attack, http(b"mine")) as substation:
        upstream = client(substation)

        first = ask(substation, upstream, within_s=ATTACKED_S)
        second = ask(substation, upstream)

    if isinstance(first, UpstreamResponse):
        assert len(first.body) <= LIMIT
    assert isinstance(second, UpstreamResponse)
    assert second.body == b"mine"


FORGED = http(b"forged").first


@pytest.mark.parametrize(
    "answer",
    [Bytes(http(b"first").first + FORGED), Bytes(http(b"first").first, later=FORGED)],
    ids=["at once", "a moment later"],
)
def test_bytes_after_a_response_are_no_response(answer: Bytes) -> None:
    with raw_substation(answer, http(b"mine")) as substation:
        upstream = client(substation)

        first = ask(substation, upstream)
        time.sleep(2 * MOMENT_S)
        second = ask(substation, upstream)

    assert isinstance(first, UpstreamResponse)
    assert first.body == b"first"
    assert isinstance(second, UpstreamResponse)
    assert second.body == b"mine"


def pieces_substation(*pieces: bytes, pause_s: float, disconnect: bool = False) -> str:
    """Answer one charge in pieces; return where."""
    door = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        line, _ = door.accept()
        with door, line, suppress(OSError):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.recv(1000)
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause_s)
            if not disconnect:
                line.recv(1000)

    threading.Thread(target=answer, daemon=True).start()
    return f"http://127.0.0.1:{door.getsockname()[1]}"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


def test_a_poll_must_end_however_its_answer_drips() -> None:
    url = pieces_substation(HEAD, *[b"x"] * 100, pause_s=0.5)
    upstream = Upstream(url, connect_timeout_s=1, connections=1)
    began = time.monotonic()
    with pytest.raises(ReadError, match="no response"):
        upstream.request("GET", "/metrics", within_s=ATTACKED_S)
    assert time.monotonic() - began < 20  # it drips for 50 s


@pytest.mark.usefixtures("peak")
def test_an_answer_that_drips_does_not_wake_the_client_for_each_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed: list[int] = []
    feed = ResponseReader.feed

    def count(self: ResponseReader, data: bytes) -> UpstreamResponse | None:
        fed.append(len(data))
        return feed(self, data)

    monkeypatch.setattr(ResponseReader, "feed", count)
    url = pieces_substation(HEAD, *[b"x"] * 100, pause_s=0.01)  # 1 s
    answer = Upstream(url, connect_timeout_s=1, connections=1).request("POST", "/charge")

    assert answer.body == b"x" * 100
    assert len(fed) < 30


def test_a_held_response_that_breaks_off_is_an_error() -> None:
    url = pieces_substation(HEAD, b"x", pause_s=0.1, disconnect=True)
    with pytest.raises(ReadError, match="ended before the response did"):
        Upstream(url, connect_timeout_s=1, connections=1).request("POST", "/charge")


def test_signs_of_life_may_come_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grid_common.http.response.HEAD_LIMIT", 100)
    monkeypatch.setattr("grid_common.http.client_connection.HEAD_LIMIT", 100)
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    url = pieces_substation(*[processing] * 20, http(b"charged").first, pause_s=0.1)
    upstream = Upstream(url, connect_timeout_s=1, connections=1)
    assert upstream.request("POST", "/charge").body == b"charged"


def test_many_signs_of_life_at_once_are_no_response() -> None:
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    url = pieces_substation(*[processing * 100] * 100, pause_s=0)
    with pytest.raises(ProtocolError, match="its headers are over"):
        Upstream(url, connect_timeout_s=1, connections=1).request("POST", "/charge")


def test_idle_connections_are_closed_if_no_file_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = socket.create_connection, []

    def connect(*args: Any) -> socket.socket:
        tries.append(args)
        if len(tries) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*args)

    monkeypatch.setattr("socket.create_connection", connect)
    with raw_substation() as idle, raw_substation() as wanted:
        first, second = client(idle), client(wanted)
        first.request("POST", "/charge")
        second.request("POST", "/charge")
        assert len(tries) == 3
        first.request("POST", "/charge")
        assert len(tries) == 4  # its idle one was closed


def test_a_compressed_bomb_is_not_unpacked() -> None:
    with raw_substation(BOMB) as substation:
        came = ask(substation, client(substation))

    assert isinstance(came, UpstreamResponse)
    assert BOMB.first.endswith(came.body)
    assert len(came.body) > 50_000


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with (
        raw_substation() as trap,
        raw_substation(
            http(
                b"",
                b"Content-Length: 0",
                b"Location: %s/charge" % trap.url.encode(),
                status=b"302 Go",
            )
        ) as substation,
    ):
        came = ask(substation, client(substation))

    assert isinstance(came, UpstreamResponse)
    assert came.status == 302
    assert trap.asked == []


def test_a_100_continue_before_the_answer_is_passed_over() -> None:
    with raw_substation(
        Bytes(b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"mine").first)
    ) as substation:
        came = ask(substation, client(substation))

    assert came == UpstreamResponse(200, "", None, b"mine")
