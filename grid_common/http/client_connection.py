"""One connection to the next hop: sends a request, reads the response, yields to others."""

import select
import socket
import time
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import wait

from grid_common.http.response import HEAD_LIMIT, ResponseReader, UpstreamResponse
from grid_common.http.sockets import send_whole

# The system's poll: gevent's would switch greenlets, and create a watcher for each call.
_poll = get_original("select", "poll")
_READABLE = 1  # libev's EV_READ

_RECEIVE_BYTES = 65_536
# A response may take any time, but must not wake this process for each byte. After this many small
# pieces the waits between reads grow, seconds.
_PROMPT_PIECES = 8
_SMALL_PIECE = 4_096
_PAUSE_S = 0.01
_MAX_PAUSE_S = 0.25
# Bytes of interim responses, such as `102 Processing`, that a long response may contain.
_OVERHEAD_BYTES_PER_S = 1_000


class Connection:
    """A connection to the next hop; `idle_since` is when it was last used."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = ResponseReader()
        self._news = _poll()  # detects the end, or unexpected bytes
        self._news.register(sock.fileno(), select.POLLIN)
        self._loop: Any = None
        self.idle_since = 0.0
        self.heard = False  # whether any byte came in response to the last request

    def exchange(self, request: bytes, timeout_s: float | None) -> UpstreamResponse:
        """Send a request and read the response; the reader must be prepared for it."""
        self.heard = False
        # The timeout of `Upstream.request` fires only while gevent's hub runs, which it does not
        # while a non-gevent socket sends.
        self.sock.settimeout(timeout_s)
        # One piece, so that head and body share a packet.
        send_whole(self.sock, request)
        began, small_pieces = time.monotonic(), 0
        while data := self._receive():
            self.heard = True
            response = self.reader.feed(data)
            if response:
                return response
            # More is to come: a sender must not keep other greenlets from running.
            small_pieces += len(data) < _SMALL_PIECE
            pause_s = _PAUSE_S * max(0, small_pieces - _PROMPT_PIECES)
            gevent.sleep(min(_MAX_PAUSE_S, pause_s))
            passed_s = time.monotonic() - began
            self.reader.overhead_limit = HEAD_LIMIT + int(_OVERHEAD_BYTES_PER_S * passed_s)
        response = self.reader.end()
        if response is None:
            raise ConnectionResetError("the connection ended before the response did")
        return response

    def _receive(self) -> bytes:
        # The socket's own `recv` would first try in vain, and then create a watcher.
        loop = gevent.get_hub().loop
        if loop is not self._loop:  # the first time, or in another thread
            self._loop, self._readable = loop, loop.io(self.sock.fileno(), _READABLE)
        wait(self._readable)
        return self.sock.recv(_RECEIVE_BYTES)

    def is_usable(self, freshest: float) -> bool:
        """Return whether it can be reused: still open, and last used no earlier than `freshest`."""
        return self.idle_since > freshest and not self._news.poll(0)

    def close(self) -> None:
        """Disconnect."""
        if self._loop is not None:
            self._readable.close()
        self.sock.close()
        self.reader.close()
