"""One connection to the next hop: sends a request, reads the answer, gives way to others."""

import select
import socket
import time
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.socket import wait

from grid_common.http.response import HEAD_LIMIT, ResponseReader, UpstreamResponse
from grid_common.http.sockets import send_whole

# The system's own: gevent's would give others their turn, and each takes a watcher.
_poll = get_original("select", "poll")
_READABLE = 1  # libev's EV_READ

_RECEIVE_BYTES = 65_536
# An answer may take as long as it likes, but not wake this process for each of its bytes: after so
# many small pieces the next one is waited for in growing pauses, seconds.
_PROMPT_PIECES = 8
_SMALL_PIECE = 4_096
_PAUSE_S = 0.01
_MAX_PAUSE_S = 0.25
# What signs of life, such as `102 Processing`, may take of an answer that takes long, bytes.
_OVERHEAD_BYTES_PER_S = 1_000


class Connection:
    """A connection to the next hop; `idle_since` is when it was last used."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = ResponseReader()
        self._news = _poll()  # of the end, or of bytes that nobody asked for
        self._news.register(sock.fileno(), select.POLLIN)
        self._loop: Any = None
        self.idle_since = 0.0
        self.heard = False  # something came for the request that was sent last

    def exchange(self, request: bytes, timeout_s: float | None) -> UpstreamResponse:
        """Send a request, for whose answer the reader is ready, and read the answer."""
        self.heard = False
        # The timeout of `Upstream.request` comes only where gevent's hub runs: not while a socket
        # that gevent did not make sends.
        self.sock.settimeout(timeout_s)
        # One piece, so that head and body travel in one packet.
        send_whole(self.sock, request)
        began, small_pieces = time.monotonic(), 0
        while data := self._receive():
            self.heard = True
            answer = self.reader.feed(data)
            if answer:
                return answer
            # There is more to come: whoever sends it must not keep others from their turn.
            small_pieces += len(data) < _SMALL_PIECE
            pause_s = _PAUSE_S * max(0, small_pieces - _PROMPT_PIECES)
            gevent.sleep(min(_MAX_PAUSE_S, pause_s))
            passed_s = time.monotonic() - began
            self.reader.overhead_limit = HEAD_LIMIT + int(_OVERHEAD_BYTES_PER_S * passed_s)
        answer = self.reader.end()
        if answer is None:
            raise ConnectionResetError("the connection ended before the answer did")
        return answer

    def _receive(self) -> bytes:
        # The socket's own `recv` would first be asked in vain, and make a watcher of its own.
        loop = gevent.get_hub().loop
        if loop is not self._loop:  # the first time, or in another thread than before
            self._loop, self._readable = loop, loop.io(self.sock.fileno(), _READABLE)
        wait(self._readable)
        return self.sock.recv(_RECEIVE_BYTES)

    def is_usable(self, freshest: float) -> bool:
        """Tell whether it can be used again, if it was used no longer ago than at `freshest`."""
        return self.idle_since > freshest and not self._news.poll(0)

    def close(self) -> None:
        """Disconnect."""
        if self._loop is not None:
            self._readable.close()
        self.sock.close()
        self.reader.close()
