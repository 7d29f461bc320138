"""One connection to the next hop: sends a request, reads the answer, gives way to others."""

import socket
import time

import gevent

from grid_common.http_answer import HEAD_LIMIT, Answer, AnswerReader
from grid_common.sockets import has_hung_up, has_unread, send_whole

_RECEIVE_BYTES = 65_536
# An answer may take as long as it likes, but not wake this process for each of its bytes: after so
# many small pieces the next one is waited for in growing pauses, seconds.
_PROMPT_PIECES = 8
_SMALL_PIECE = 4_096
_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.25
# What signs of life, such as `102 Processing`, may take of an answer that takes long, bytes.
_OVERHEAD_BYTES_PER_S = 1_000


class Connection:
    """A connection to the next hop; `idle_since` is when it was last used."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = AnswerReader()
        self.idle_since = 0.0
        self.heard = False  # something came for the request that was sent last

    def exchange(self, request: bytes, timeout_s: float | None) -> Answer:
        """Send a request, for whose answer the reader is ready, and read the answer."""
        self.heard = False
        # The timeout of `Upstream.request` comes only where gevent's hub runs; this in any thread.
        self.sock.settimeout(timeout_s)
        # One piece, so that head and body travel in one packet.
        send_whole(self.sock, request)
        began, small_pieces = time.monotonic(), 0
        while data := self.sock.recv(_RECEIVE_BYTES):
            self.heard = True
            answer = self.reader.feed(data)
            if answer:
                return answer
            # There is more to come: whoever sends it must not keep others from their turn.
            small_pieces += len(data) < _SMALL_PIECE
            pause_s = _PAUSE_S * max(0, small_pieces - _PROMPT_PIECES)
            gevent.sleep(min(_LONGEST_PAUSE_S, pause_s))
            passed_s = time.monotonic() - began
            self.reader.overhead_limit = HEAD_LIMIT + int(_OVERHEAD_BYTES_PER_S * passed_s)
        answer = self.reader.end()
        if answer is None:
            raise ConnectionResetError("the connection ended before the answer did")
        return answer

    def is_usable(self, freshest: float) -> bool:
        """Tell whether it can be used again, if it was used no longer ago than at `freshest`."""
        return (
            self.idle_since > freshest and not has_hung_up(self.sock) and not has_unread(self.sock)
        )

    def close(self) -> None:
        """Hang up."""
        self.sock.close()
        self.reader.close()
