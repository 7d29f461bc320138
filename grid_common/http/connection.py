"""Serves one connection: its requests in, through the WSGI app, its answers out.

In gunicorn's place, whose own way takes five times as long for a request (docs/performance.md),
most of it for reading headers.

Whatever a caller sends, others have their turn after each reading and each answer: a socket that
always has bytes, and always takes some, would never let gevent go on to the next.
"""

import math
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from gevent.socket import wait_write

from grid_common.api.problem_type import CONTENT_TYPE, unavailable_type
from grid_common.http.cancellation import Caller
from grid_common.http.memory import Budget, Share
from grid_common.http.request import Malformed, RequestReader
from grid_common.http.sockets import send_whole

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from grid_common.http.request import Request

__all__ = ["Connection"]

# How long a connection may stay without a request before it is closed, seconds.
_KEEPALIVE_S = 75
# How long a request may take to arrive, and an answer to be taken, seconds.
_REQUEST_S = 15
_ANSWER_S = 30
# A connection that ends before all was read is read on for this long, seconds, and for this many
# bytes, so that a caller that is still sending comes to read its answer.
_LINGER_S = 2
_LINGER_BYTES = 4_194_304
_RECEIVE_BYTES = 16_384
# Answers over this may together take as much memory as `_unsent` has, while they wait for their
# callers to take them: 10,000 callers that ask for all decisions, and never read, want 30 GB.
_LARGE_ANSWER_BYTES = 65_536
_unsent = Budget(33_554_432)
# What a request may take without being counted, bytes: a vehicle's takes a few hundred, one of a
# browser some 4,000. What goes beyond comes out of one budget for all, for as long as the request
# is being sent or its vehicle charges: 2,500 callers with 32 KB each want 100 MB and more.
_ORDINARY_REQUEST_BYTES = 8_192
_requests = Budget(16_777_216)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY = ("204", "304")


def _environ_of(sock: socket.socket, address: tuple[Any, ...], caller: Caller) -> dict[str, Any]:
    """Return what the WSGI environs of all requests of a connection have in common."""
    host, port = sock.getsockname()[:2]
    return {
        "REMOTE_ADDR": address[0],
        "REMOTE_PORT": str(address[1]),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "grid.caller": caller,
    }


class TooMuchHeld(Malformed):
    """Requests take all the memory that they may: this one, which is large, has to come again."""

    type = unavailable_type("requests-too-large")
    event = "large request turned away"

    def __init__(self) -> None:
        super().__init__(
            "Too many large requests are being sent or served; send less, or come again.",
            HTTPStatus.SERVICE_UNAVAILABLE,
            {"Retry-After": "1"},
        )


class Connection:
    """One caller's connection.

    Attributes:
        due: when to disconnect if nothing has changed by then, seconds of the monotonic clock;
            never while the app has a request, for a vehicle charges as long as it takes.
    """

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[Any, ...],
        app: "WSGIApplication",
        *,
        body_limit: int,
        is_ending: Callable[[], bool],
        note_refused: Callable[[Malformed, "WSGIEnvironment"], dict[str, str]],
    ) -> None:
        """Prepare to serve.

        Args:
            sock: connected; closed at the end.
            address: the caller's, as `accept` gives it.
            app: answers requests.
            body_limit: most bytes of a body that the app takes.
            is_ending: tells after each whether the service wants the connection to end.
            note_refused: counts and logs what is no request, with what is known of it, and returns
                headers for its answer.
        """
        self._sock = sock
        self._caller = Caller(sock)
        self._reader = RequestReader(_environ_of(sock, address, self._caller), body_limit)
        self._app = app
        self._is_ending = is_ending
        self._note_refused = note_refused
        self._share = Share(_requests)
        self._written: list[bytes] = []
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self.due = time.monotonic() + _KEEPALIVE_S

    def serve(self) -> None:
        """Answer requests for as long as the connection stands."""
        try:
            try:
                ends = self._answer_all()
            finally:
                self._share.resize(0)
                self._reader.close()
            if ends:
                self._linger()
        except OSError:
            pass  # the caller broke off; what it had in flight, the app has seen to
        finally:
            self._caller.close()
            self._sock.close()

    def disconnect(self) -> None:
        """End the connection, whatever it does."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _answer_all(self) -> bool:
        """Answer until the connection ends; tell whether it was this side that ended it."""
        try:
            return self._answer_each()
        except Malformed as problem:
            self._refuse(problem)
            return True

    def _answer_each(self) -> bool:
        reader = self._reader
        while data := self._receive():
            was_idle = reader.idle
            request = self._read(data)
            del data  # the next wait may be long, and so may a vehicle's charge
            while request:
                if self._answer(request):
                    return True
                self.due = time.monotonic() + _KEEPALIVE_S
                was_idle = True
                if not reader.has_more:
                    request = None
                    if self._share.size:
                        self._share.resize(0)
                    break
                # A turn of all sockets. A mere sleep(0) comes back before any of them is looked at,
                # for as long as gevent's switch interval lasts.
                wait_write(self._sock.fileno())
                request = self._read(b"")
            if reader.idle:
                continue
            if was_idle:
                self.due = time.monotonic() + _REQUEST_S
            if reader.expects_continue:
                reader.expects_continue = False
                self._sock.sendall(_CONTINUE)
        return False

    def _receive(self) -> bytes:
        self._caller.wait_readable()
        return self._sock.recv(_RECEIVE_BYTES)

    def _read(self, data: bytes) -> "Request | None":
        request = self._reader.read(data)
        size = self._reader.size + (request.size if request else 0)
        large = size - _ORDINARY_REQUEST_BYTES if size > _ORDINARY_REQUEST_BYTES else 0
        if large != self._share.size and not self._share.resize(large):
            raise TooMuchHeld
        return request

    def _answer(self, request: "Request") -> bool:
        """Answer a request and tell whether the connection ends with it."""
        self.due = math.inf
        self._written = []
        pieces = self._app(request.environ, self._start_response)
        try:
            body = b"".join([*self._written, *pieces])
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        ends = not request.keep_alive or self._is_ending()
        self.due = time.monotonic() + _ANSWER_S
        head = _head(self._status, self._headers, len(body), ends=ends)
        without_body = (
            request.environ["REQUEST_METHOD"] == "HEAD" or self._status[:3] in _WITHOUT_BODY
        )
        if without_body:
            self._sock.sendall(head)
        elif len(body) <= _LARGE_ANSWER_BYTES:
            send_whole(self._sock, head + body)  # one piece, so that they travel in one packet
        else:
            self._send_large(head, body)
        return ends

    def _send_large(self, head: bytes, body: bytes) -> None:
        with Share(_unsent) as share:
            if not share.resize(len(body)):
                raise OSError("too many large answers wait to be taken")
            self._sock.sendall(head)
            self._sock.sendall(body)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self._status, self._headers = status, headers
        return self._written.append

    def _refuse(self, problem: Malformed) -> None:
        self.due = time.monotonic() + _ANSWER_S
        body = orjson.dumps(problem.document())
        status = f"{problem.status.value} {problem.status.phrase}"
        headers = {
            "Content-Type": CONTENT_TYPE,
            **problem.headers,
            **self._note_refused(problem, self._reader.environ),
        }
        self._sock.sendall(_head(status, list(headers.items()), len(body), ends=True) + body)

    def _linger(self) -> None:
        """Read on until the caller ends too: what is unread at the end would reset the connection.

        A reset can take the answer away that is on its way.
        """
        self.due = time.monotonic() + _LINGER_S
        self._sock.shutdown(socket.SHUT_WR)
        left = _LINGER_BYTES
        while left > 0 and (data := self._receive()):
            left -= len(data)


def _head(status: str, headers: list[tuple[str, str]], length: int, *, ends: bool) -> bytes:
    """Write status line and headers, with those that are the server's to add."""
    lines = [f"HTTP/1.1 {status}", f"Date: {_date(int(time.time()))}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if status[:3] not in _WITHOUT_BODY and not any(
        name.lower() == "content-length" for name, _ in headers
    ):
        lines.append(f"Content-Length: {length}")
    if ends:
        lines.append("Connection: close")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1")


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)
