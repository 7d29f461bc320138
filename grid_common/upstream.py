"""The HTTP client towards the next hop: kept-alive connections, no retries of its own.

UpstreamError
 ├── Refused     no connection: nothing was sent
 ├── Reset       the connection broke before the answer was whole
 └── Garbled     what came back is not an HTTP answer within bounds

Written by hand over llhttp: a client library took four times as long (docs/performance.md), and
each sends again by itself in some case where a vehicle might be charged twice.
"""

import errno
import socket
import time
from urllib.parse import urlsplit
from weakref import WeakSet

import gevent

from grid_common.http_answer import Answer, AnswerReader, NotAnAnswer
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
_NO_FILE_LEFT = (errno.EMFILE, errno.ENFILE)


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


class _Connection:
    """A connection to the next hop; `idle_since` is when it was last used."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = AnswerReader()
        self.idle_since = 0.0

    def read(self, answer_s: float) -> Answer:
        """Read the answer to what was sent; from its first byte on it may take so many seconds."""
        patience_s = self.sock.gettimeout()
        ends = None
        while data := self.sock.recv(_RECEIVE_BYTES):
            answer = self.reader.feed(data)
            if answer:
                return answer
            if self.reader.begun:
                now = time.monotonic()
                ends = ends or now + answer_s
                self.sock.settimeout(max(0.001, ends - now))
            elif ends:  # so far it was an informational answer: the real one comes in its own time
                ends = None
                self.sock.settimeout(patience_s)
        answer = self.reader.end()
        if answer is None:
            raise Reset("the connection ended before the answer did")
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
        self._idle: list[_Connection] = []
        self._tidying: gevent.Greenlet[[], None] | None = None
        _upstreams.add(self)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        within_s: float | None = None,
        limit: int = _ANSWER_LIMIT,
    ) -> Answer:
        """Send a request and read its whole answer.

        Args:
            method: the HTTP method.
            path: path and query.
            body: the body, if any.
            headers: headers beyond the usual.
            within_s: longest that all of it may take, from connecting to the answer's end; None
                waits for the answer to begin as long as the connection stands, as a charge takes
                as long as it takes.
            limit: most bytes of body that are read.

        Raises:
            UpstreamError: there is no (usable) answer; its subclass tells what happened.
        """
        if within_s is None:
            return self._exchange(method, path, body, headers, limit, None)
        timeout = gevent.Timeout.start_new(within_s)
        try:
            return self._exchange(method, path, body, headers, limit, within_s)
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            raise Reset(f"no answer within {within_s:g} s") from None
        finally:
            timeout.close()

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str] | None,
        limit: int,
        silence_s: float | None,
    ) -> Answer:
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        if headers:
            head += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            head.append(f"Content-Length: {len(body)}")
        head.append("\r\n")
        connection = self._connection()
        answer = None
        try:
            # The timeout above comes only where gevent's hub runs; this one in any thread.
            connection.sock.settimeout(silence_s)
            connection.reader.begin(limit)
            # One piece, so that head and body travel in one packet.
            send_whole(connection.sock, "\r\n".join(head).encode("latin-1") + body)
            answer = connection.read(silence_s or _ANSWER_S)
        except NotAnAnswer as error:
            raise Garbled(f"not an HTTP answer: {error}") from None
        except TimeoutError:
            raise Reset("no answer in time") from None
        except OSError as error:
            raise Reset(_told(error)) from error
        finally:
            # A connection whose answer was not read to its end, whatever the reason, an interrupt
            # too, is closed: the other side takes that as the vehicle's hang-up.
            if answer and connection.reader.reusable and len(self._idle) < self._connections:
                self._keep(connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections, and each other once its answer has come."""
        self._connections = 0
        self.close_idle()

    def close_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _keep(self, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        if self._tidying is None:
            self._tidying = gevent.spawn_later(_LONGEST_IDLE_S, self._tidy)

    def _tidy(self) -> None:
        """Close what is idle for too long: a rush hour's connections, once it is over."""
        freshest = time.monotonic() - _LONGEST_IDLE_S
        while self._idle and self._idle[0].idle_since <= freshest:  # the first are the oldest
            self._idle.pop(0).close()
        self._tidying = None
        if self._idle:
            self._tidying = gevent.spawn_later(self._idle[0].idle_since - freshest, self._tidy)

    def _connection(self) -> _Connection:
        """Take the connection that was used last, or make one."""
        freshest = time.monotonic() - _LONGEST_IDLE_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(freshest):
                return connection
            connection.close()
        try:
            sock = self._connect()
        except TimeoutError:
            raise Refused("no connection in time") from None
        except OSError as error:
            raise Refused(_told(error)) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Connection(sock)

    def _connect(self) -> socket.socket:
        try:
            return socket.create_connection(self._address, self._connect_timeout_s)
        except OSError as error:
            if error.errno not in _NO_FILE_LEFT:
                raise
        # What this process keeps open for later is no reason not to reach anyone now.
        for upstream in list(_upstreams):
            upstream.close_idle()
        return socket.create_connection(self._address, self._connect_timeout_s)


_upstreams: WeakSet[Upstream] = WeakSet()


def _told(error: OSError) -> str:
    """Say in plain words what went wrong."""
    return (error.strerror or str(error) or type(error).__name__).lower()
