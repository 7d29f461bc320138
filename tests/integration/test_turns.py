"""No connection monopolizes a service: others are answered while one never pauses."""

import http.client
import socket
import threading
from contextlib import closing, suppress

import pytest

from local_stack.process import Process
from tests.conftest import StartService
from tests.support.deadline import eventually

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /healthz HTTP/1.1\r\n" + HOST
# Each is sent again and again, as fast as it is taken, on a new connection where one has ended.
WAYS = {
    "requests sent ahead": GET * 500,
    "bodies in chunks of one byte": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
    ),
    "bodies announced with Expect": (
        POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n12345"
    )
    * 500,
    "blank lines": b"\r\n" * 30_000,
    "bytes after the last answer": b"GET /healthz HTTP/1.0\r\n\r\n" + b"x" * 1_000_000,
    "a body that is too long": POST + b"Content-Length: 9000000\r\n\r\n" + b"x" * 9_000_000,
}
OTHERS = 25


class Busy:
    """A caller that sends without a pause, and takes what it is answered, until the block ends.

    Attributes:
        moved: bytes that were taken from it, and by it.
    """

    def __init__(self, port: int, data: bytes) -> None:
        self.moved = 0
        self._port, self._data = port, data
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._call, daemon=True)

    def __enter__(self) -> "Busy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _call(self) -> None:
        while not self._ended.is_set():
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as line:
                taker = threading.Thread(target=self._take, args=(line,), daemon=True)
                taker.start()
                with suppress(OSError):
                    self._send(line)
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                taker.join()

    def _send(self, line: socket.socket) -> None:
        left = b""
        while not self._ended.is_set():
            left = left or self._data
            sent = line.send(left)
            left = left[sent:]
            self.moved += sent

    def _take(self, line: socket.socket) -> None:
        with suppress(OSError):
            while data := line.recv(1_000_000):
                self.moved += len(data)


@pytest.fixture
def substation(start_service: StartService) -> Process:
    return start_service("substation_service")


def be_answered(substation: Process, times: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", substation.port, timeout=10)) as caller:
        for _ in range(times):
            caller.request("GET", "/healthz")
            assert caller.getresponse().read() == b"alive\n"


@pytest.mark.parametrize("way", WAYS)
def test_others_are_answered_while_a_caller_never_pauses(substation: Process, way: str) -> None:
    def is_under_way(beyond: int) -> None:
        assert busy.moved > beyond

    with Busy(substation.port, WAYS[way]) as busy:
        eventually(lambda: is_under_way(beyond=200_000))
        be_answered(substation, OTHERS)
        before = busy.moved
        eventually(lambda: is_under_way(before))  # it was one among them, and goes on


def test_others_have_their_turn_after_each_answer(substation: Process) -> None:
    ahead = 10_000

    def is_one_among_them() -> None:
        taken = b""
        with socket.create_connection(("127.0.0.1", substation.port), timeout=30) as line:
            line.sendall(GET * ahead)
            line.recv(1, socket.MSG_PEEK)
            be_answered(substation, OTHERS)
            with suppress(TimeoutError):
                line.settimeout(0.001)
                while taken.count(b"alive") < ahead:
                    taken += line.recv(1_000_000)
        # It gets an answer in the time in which one of others is read, or written; some more while
        # these have nothing to say.
        assert OTHERS / 2 < taken.count(b"alive") < ahead / 2

    # Again where this process itself had to wait for the machine: others had nothing to say then.
    eventually(is_one_among_them, within_s=30)
