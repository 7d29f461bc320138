"""Serves one connection: reads requests, calls the WSGI app, writes responses.

It replaces gunicorn's own handling, which takes five times as long for a request
(docs/performance.md), most of it for parsing headers.

Other greenlets run after each read and each response, whatever a caller sends. gevent would not
switch away from a socket that always has bytes to read and always accepts bytes to write.
"""

import math
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gevent.socket import wait_write

from grid_common.http.cancellation import CALLER, Caller
from grid_common.http.memory import Budget, Share
from grid_common.http.refused import RefusedRequest, TooMuchHeld
from grid_common.http.request import RequestReader
from grid_common.http.sockets import send_whole

if TYPE_CHECKING:
    from grid_common.http.application import Application
    from grid_common.http.request import Request

# How long a connection may stay idle before it is closed, seconds.
_KEEPALIVE_S = 75
# How long a request may take to arrive, and a response to be accepted, seconds.
_REQUEST_S = 15
_RESPONSE_S = 30
# If the connection ends before everything was read, reading continues for this long, seconds, and
# this many bytes, so that a caller that is still sending gets to read the response.
_LINGER_S = 2
_LINGER_BYTES = 4_194_304
_RECEIVE_BYTES = 16_384
# Responses larger than this share the memory budget `_unsent` until their callers accept them:
# 10,000 callers that request all decisions and never read would need 30 GB.
_LARGE_RESPONSE_BYTES = 65_536
_unsent = Budget(33_554_432)
# Memory that a request may take without being counted, bytes: a program's takes a few hundred, a
# browser's some 4,000. Anything beyond comes out of one budget for all, until the response: 2,500
# callers with 32 KB each need 100 MB or more.
_ORDINARY_REQUEST_BYTES = 8_192
_requests = Budget(16_777_216)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY = ("204", "304")


def _environ_of(sock: socket.socket, address: tuple[Any, ...], caller: Caller) -> dict[str, Any]:
    """Return the common part of the WSGI environs of a connection's requests."""
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
        CALLER: caller,
    }


class Connection:
    """One caller's connection.

    Attributes:
        due: when to disconnect unless something happens before, seconds of the monotonic clock;
            infinite while the app handles a request, which may take any time.
    """

    def __init__(
        self,
        sock: socket.socket,
        address: tuple[Any, ...],
        app: "Application",
    ) -> None:
        """Prepare to serve the connected socket, which is closed at the end.

        The address is the caller's, as `accept` returns it.
        """
        self._sock = sock
        self._caller = Caller(sock)
        self._reader = RequestReader(_environ_of(sock, address, self._caller), app.max_body_bytes)
        self._app = app
        self._share = Share(_requests)
        self._written: list[bytes] = []
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self.due = time.monotonic() + _KEEPALIVE_S

    def serve(self) -> None:
        """Serve requests until the connection ends."""
        try:
            try:
                ends = self._respond_all()
            except RefusedRequest as error:
                self._refuse(error)
                ends = True
            finally:
                self._share.resize(0)
                self._reader.close()
            if ends:
                self._linger()
        except OSError:
            pass  # the caller broke off; the app has already handled what was in flight
        finally:
            self._caller.close()
            self._sock.close()

    def disconnect(self) -> None:
        """Close the connection, whatever its state."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _respond_all(self) -> bool:
        """Serve until the connection ends; return whether this side ended it."""
        reader = self._reader
        while data := self._receive():
            was_idle = reader.idle
            request = self._read(data)
            del data  # the next wait may be long, and so may the response
            while request:
                if self._respond(request):
                    return True
                self.due = time.monotonic() + _KEEPALIVE_S
                was_idle = True
                if not reader.has_more:
                    request = None
                    if self._share.size:
                        self._share.resize(0)
                    break
                # Let all sockets take their turn. sleep(0) returns before any of them is polled
                # until gevent's switch interval has passed.
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

    def _respond(self, request: "Request") -> bool:
        """Respond to a request; return whether the connection ends with it."""
        self.due = math.inf
        self._written = []
        pieces = self._app(request.environ, self._start_response)
        try:
            body = b"".join([*self._written, *pieces])
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        # A kept-alive connection would tie its caller to a process that drains.
        ends = not request.keep_alive or self._app.drain.active
        self.due = time.monotonic() + _RESPONSE_S
        head = _head(self._status, self._headers, len(body), ends=ends)
        without_body = (
            request.environ["REQUEST_METHOD"] == "HEAD" or self._status[:3] in _WITHOUT_BODY
        )
        if without_body:
            self._sock.sendall(head)
        elif len(body) <= _LARGE_RESPONSE_BYTES:
            send_whole(self._sock, head + body)  # one piece, so that both share a packet
        else:
            self._send_large(head, body)
        return ends

    def _send_large(self, head: bytes, body: bytes) -> None:
        with Share(_unsent) as share:
            if not share.resize(len(body)):
                raise OSError("too many large responses wait to be accepted")
            self._sock.sendall(head)
            self._sock.sendall(body)

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None
    ) -> Callable[[bytes], None]:
        self._status, self._headers = status, headers
        return self._written.append

    def _refuse(self, error: RefusedRequest) -> None:
        self.due = time.monotonic() + _RESPONSE_S
        headers, body = self._app.refuse(error, self._reader.environ)
        status = f"{error.status.value} {error.status.phrase}"
        self._sock.sendall(_head(status, list(headers.items()), len(body), ends=True) + body)

    def _linger(self) -> None:
        """Keep reading until the caller closes too: unread bytes would reset the connection.

        A reset can discard the response that is on its way.
        """
        self.due = time.monotonic() + _LINGER_S
        self._sock.shutdown(socket.SHUT_WR)
        left = _LINGER_BYTES
        while left > 0 and (data := self._receive()):
            left -= len(data)


def _head(status: str, headers: list[tuple[str, str]], length: int, *, ends: bool) -> bytes:
    """Return status line and headers, with those that the server adds."""
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
