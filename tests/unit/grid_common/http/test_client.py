"""Connections that are kept: when one is closed, and when one that was closed is replaced."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import gevent
import pytest

from grid_common.http import client as upstream
from grid_common.http.client import ConnectError, ReadError, Upstream

IDLE_S = 0.3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

# What is done with each request of a connection in turn; False closes it.
Script = Sequence[Callable[[socket.socket], bool]]


def answer(line: socket.socket) -> bool:
    line.sendall(OK)
    return True


def disconnect(_line: socket.socket) -> bool:
    return False


def reset(line: socket.socket) -> bool:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return False


def begin(line: socket.socket) -> bool:
    line.sendall(b"H")
    return False


def interim(line: socket.socket) -> bool:
    line.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
    return False


class Hop:
    """A next hop that does with each request of each connection what it is told."""

    def __init__(self, *scripts: Script) -> None:
        self.door = socket.create_server(("127.0.0.1", 0))
        self.requests: list[int] = []  # for each connection, how many requests it brought
        self._scripts = list(scripts)
        threading.Thread(target=self._serve, daemon=True).start()

    def client(self, idle_s: float = 60) -> Upstream:
        url = f"http://127.0.0.1:{self.door.getsockname()[1]}"
        return Upstream(url, connect_timeout_s=1, connections=2, idle_s=idle_s)

    def _serve(self) -> None:
        for number, script in enumerate(self._scripts):
            try:
                line, _ = self.door.accept()
            except OSError:
                return
            self.requests.append(0)
            threading.Thread(target=self._talk, args=(number, line, script), daemon=True).start()

    def _talk(self, number: int, line: socket.socket, script: Script) -> None:
        with line, suppress(OSError):
            for act in script:
                if not line.recv(4096):
                    return
                self.requests[number] += 1
                if not act(line):
                    return
            line.recv(4096)


@contextmanager
def hop(*scripts: Script) -> Iterator[Hop]:
    it = Hop(*scripts)
    try:
        yield it
    finally:
        it.door.close()


def test_a_connection_is_closed_once_it_is_idle_for_long() -> None:
    ended = threading.Event()

    def wait_for_the_end(line: socket.socket) -> bool:
        line.sendall(OK)
        line.settimeout(5)
        if line.recv(4096) == b"":
            ended.set()
        return False

    with hop([wait_for_the_end]) as it:
        assert it.client(IDLE_S).request("GET", "/").status == 200

        gevent.sleep(IDLE_S / 2)
        assert not ended.is_set()
        gevent.sleep(IDLE_S)

        assert ended.wait(1)


def test_no_connection_is_kept_where_none_may_be_idle() -> None:
    with hop([answer], [answer]) as it:
        client = it.client(idle_s=0)
        client.request("GET", "/")
        client.request("GET", "/")
        assert it.requests == [1, 1]


@pytest.mark.parametrize("close", [disconnect, reset])
def test_a_request_on_a_kept_connection_that_was_closed_is_sent_once_more(
    close: Callable[[socket.socket], bool],
) -> None:
    with hop([answer, close], [answer, answer]) as it:
        client = it.client()
        for _ in range(3):
            assert client.request("POST", "/charge", body=b"{}").status == 200
        assert it.requests == [2, 2]


def test_it_is_sent_once_more_on_a_new_connection_for_others_may_be_closed_too() -> None:
    both_there = threading.Barrier(2)

    def answer_both(line: socket.socket) -> bool:
        both_there.wait(5)
        return answer(line)

    with hop([answer_both, disconnect], [answer_both, disconnect], [answer]) as it:
        client = it.client()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: client.request("GET", "/"), range(2)))
        assert client.request("POST", "/charge").status == 200
        assert sorted(it.requests) == [1, 1, 2]


def test_a_request_is_sent_no_third_time() -> None:
    with hop([answer, disconnect], [disconnect], [answer]) as it:
        client = it.client()
        client.request("GET", "/")
        with pytest.raises(ReadError, match="the connection ended before the response did"):
            client.request("POST", "/charge")
        assert it.requests == [2, 1]


def test_a_request_on_a_new_connection_is_sent_once() -> None:
    with hop([disconnect], [answer]) as it:
        with pytest.raises(ReadError):
            it.client().request("POST", "/charge")
        assert it.requests == [1]


@pytest.mark.parametrize("act", [begin, interim])
def test_a_request_that_was_answered_in_part_is_sent_once(
    act: Callable[[socket.socket], bool],
) -> None:
    with hop([answer, act], [answer]) as it:
        client = it.client()
        client.request("GET", "/")
        with pytest.raises(ReadError):
            client.request("POST", "/charge")
        assert it.requests == [2]


def test_a_request_that_the_next_hop_may_have_worked_on_is_sent_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, "_STALE_S", 0.1)

    def work(_line: socket.socket) -> bool:
        time.sleep(0.2)
        return False

    with hop([answer, work], [answer]) as it:
        client = it.client()
        client.request("GET", "/")
        with pytest.raises(ReadError):
            client.request("POST", "/charge")
        assert it.requests == [2]


def test_silence_does_not_count_as_a_closed_connection() -> None:
    def keep_silent(line: socket.socket) -> bool:
        line.recv(4096)
        return False

    with hop([answer, keep_silent], [answer]) as it:
        client = it.client()
        client.request("GET", "/")
        with pytest.raises(ReadError, match="no response"):
            client.request("GET", "/", within_s=0.1)
        assert it.requests == [2]


def test_a_failed_retry_counts_as_sent() -> None:
    with hop([answer, disconnect]) as it:
        client = it.client()
        client.request("GET", "/")
        # A closed door still takes a connection that its thread waits for.
        it.door.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ReadError):
            client.request("POST", "/charge")
        with pytest.raises(ConnectError):
            client.request("POST", "/charge")
