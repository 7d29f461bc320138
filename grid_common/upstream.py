"""The HTTP client towards the next hop: kept-alive connections, no retries of its own.

UpstreamError
 ├── Refused     no connection: nothing was sent
 ├── Reset       the connection broke before the answer was whole
 └── Garbled     what came back is not an HTTP answer within bounds

Written by hand over llhttp: a client library took four times as long (docs/performance.md), and
each sends again by itself in some case where a vehicle might be charged twice.
"""

import socket
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import gevent

from grid_common.http_answer import Answer, AnswerReader, NotAnAnswer
from grid_common.keepalive import notice_a_vanished_peer
from grid_common.sockets import has_hung_up, has_unread, send_whole

__all__ = ["Answer", "Garbled", "Refused", "Reset", "Upstream", "UpstreamError"]

# Answers of the grid are a few hundred bytes; more than this is not one of them.
_ANSWER_LIMIT = 65_536
_RECEIVE_BYTES = 65_536
# How long an answer that may begin at any time takes at most from its first byte, seconds.
_ANSWER_S = 10
# Idle connections are not used after this long: the other side closes its own after 75 s, and must
# not do so while a vehicle is on its way. Seconds.
_LONGEST_IDLE_S = 60


class UpstreamError(Exception):
    """The next hop gave no answer; `reason` is a word for logs and metrics."""

    reason = "error"


class Refused(UpstreamError):
    """No connection was made, so nothing was sent."""

    reason = "refused"


class Reset(UpstreamError):
    """The connection broke, or fell silent, before the answer was whole."""

    reason = "reset"


class Garbled(UpstreamError):
    """What came back is not an answer."""

    reason = "garbled"


class _Idle(NamedTuple):
    """A kept-alive connection that nobody uses."""

    since: float
    sock: socket.socket
    reader: AnswerReader


class Upstream:
    """One address of the next hop."""

    def __init__(self, url: str, *, connect_timeout_s: float, connections: int) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            url: `http://host:port`.
            connect_timeout_s: longest that making a connection may take.
            connections: how many idle connections are kept.
        """
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 80)
        self._host = where.netloc.rpartition("@")[2]
        self._connect_timeout_s = connect_timeout_s
        self._connections = connections
        self._idle: list[_Idle] = []
        self._tidying: gevent.Greenlet[[], None] | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        read_timeout_s: float | None = None,
        limit: int = _ANSWER_LIMIT,
    ) -> Answer:
        """Send a request and read its whole answer.

        Args:
            method: the HTTP method.
            path: path and query.
            body: the body, if any.
            headers: headers beyond the usual.
            read_timeout_s: longest wait for the answer to begin, and again for it to end; None
                waits for its begin as long as the connection stands, as a charge takes as long as
                it takes.
            limit: most bytes of body that are read.

        Raises:
            UpstreamError: there is no (usable) answer; its subclass tells what happened.
        """
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        if headers:
            head += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            head.append(f"Content-Length: {len(body)}")
        head.append("\r\n")
        sock, reader = self._connection()
        answer = None
        try:
            sock.settimeout(read_timeout_s)
            reader.begin(limit)
            # One piece, so that head and body travel in one packet.
            send_whole(sock, "\r\n".join(head).encode("latin-1") + body)
            answer = _read(sock, reader, read_timeout_s or _ANSWER_S)
        except NotAnAnswer as error:
            raise Garbled(f"not an HTTP answer: {error}") from None
        except TimeoutError:
            raise Reset("no answer in time") from None
        except OSError as error:
            raise Reset(_told(error)) from error
        finally:
            # A connection whose answer was not read to its end, whatever the reason, an interrupt
            # too, is closed: the other side takes that as the vehicle's hang-up.
            if answer and reader.reusable and len(self._idle) < self._connections:
                self._keep(_Idle(time.monotonic(), sock, reader))
            else:
                sock.close()
        return answer

    def close(self) -> None:
        """Close the idle connections, and each other once its answer has come."""
        self._connections = 0
        while self._idle:
            self._idle.pop().sock.close()

    def _keep(self, idle: _Idle) -> None:
        self._idle.append(idle)
        if self._tidying is None:
            self._tidying = gevent.spawn_later(_LONGEST_IDLE_S, self._tidy)

    def _tidy(self) -> None:
        """Close what is idle for too long: a rush hour's connections, once it is over."""
        freshest = time.monotonic() - _LONGEST_IDLE_S
        while self._idle and self._idle[0].since <= freshest:  # the first are the oldest
            self._idle.pop(0).sock.close()
        self._tidying = None
        if self._idle:
            self._tidying = gevent.spawn_later(self._idle[0].since - freshest, self._tidy)

    def _connection(self) -> tuple[socket.socket, AnswerReader]:
        """Take the connection that was used last, or make one."""
        freshest = time.monotonic() - _LONGEST_IDLE_S
        while self._idle:
            since, sock, reader = self._idle.pop()
            if since > freshest and not has_hung_up(sock) and not has_unread(sock):
                return sock, reader
            sock.close()
        try:
            sock = socket.create_connection(self._address, self._connect_timeout_s)
        except TimeoutError:
            raise Refused("no connection in time") from None
        except OSError as error:
            raise Refused(_told(error)) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        notice_a_vanished_peer(sock)
        return sock, AnswerReader()


def _read(sock: socket.socket, reader: AnswerReader, answer_s: float) -> Answer:
    ends = None
    while data := sock.recv(_RECEIVE_BYTES):
        answer = reader.feed(data)
        if answer:
            return answer
        if reader.begun:
            now = time.monotonic()
            ends = ends or now + answer_s
            sock.settimeout(max(0.001, ends - now))
    answer = reader.end()
    if answer is None:
        raise Reset("the connection ended before the answer did")
    return answer


def _told(error: OSError) -> str:
    """Say in plain words what went wrong."""
    return (error.strerror or str(error) or type(error).__name__).lower()
