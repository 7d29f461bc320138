"""The HTTP client towards the next hop: kept-alive connections, one retry in one case.

UpstreamError
 ├── ConnectError           no connection: nothing was sent
 ├── ReadError              the connection broke before the answer was whole
 └── ProtocolError          what came back is not an HTTP answer within bounds
      └── ResponseTooLarge  its body is larger than was allowed

Written by hand over llhttp: a client library took four times as long (docs/performance.md), and
each sends again by itself in some case where a vehicle might be charged twice. This one sends again
where a kept-alive connection turns out to be closed: docs/reliability.md tells when and why.
"""

import errno
import socket
import time
from urllib.parse import urlsplit
from weakref import WeakSet

import gevent

from grid_common.http.client_connection import Connection
from grid_common.http.response import BodyOverLimit, InvalidResponse, UpstreamResponse

__all__ = [
    "ConnectError",
    "ProtocolError",
    "ReadError",
    "ResponseTooLarge",
    "Upstream",
    "UpstreamError",
    "UpstreamResponse",
]

# Answers of the grid are a few hundred bytes; more than this is not one of them.
_ANSWER_LIMIT = 65_536
# The next hop closes idle connections after 75 s, and must not do so while a vehicle is on its way.
_IDLE_S = 60.0
# A connection that was idle and breaks within this time of a request, before any byte of an answer,
# was closed by then: the news takes a round trip. Seconds.
_STALE_S = 1.0
_NO_FILE_LEFT = (errno.EMFILE, errno.ENFILE)


class UpstreamError(Exception):
    """The next hop gave no answer; `reason` is a word for logs and metrics."""

    reason = "error"


class ConnectError(UpstreamError):
    """No connection was made, so nothing was sent."""

    reason = "refused"


class ReadError(UpstreamError):
    """The connection broke, or fell silent, before the answer was whole."""

    reason = "reset"


class ProtocolError(UpstreamError):
    """What came back is not an answer."""

    reason = "garbled"


class ResponseTooLarge(ProtocolError):
    """The answer's body is larger than was allowed."""


class _NoResponse(ReadError):
    """It broke before any byte of an answer came."""


class Upstream:
    """One address of the next hop."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_s: float,
        connections: int,
        idle_s: float = _IDLE_S,
        host: str | None = None,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            url: `http://host:port`.
            connect_timeout_s: longest that making a connection may take.
            connections: how many idle connections are kept.
            idle_s: how long each is kept.
            host: what `Host` says, where the URL has one address of the name that was given.
        """
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 80)
        self._host = host or where.netloc.rpartition("@")[2]
        self._connect_timeout_s = connect_timeout_s
        self._connections = connections
        self._idle_s = idle_s
        self._idle: list[Connection] = []
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
        keep: int | None = None,
    ) -> UpstreamResponse:
        """Send a request and read its whole answer.

        Args:
            method: the HTTP method.
            path: path and query.
            body: the body, if any.
            headers: headers beyond the usual.
            within_s: longest that all of it may take, from connecting to the answer's end; None
                waits for the answer's end as long as the connection stands, as a charge takes as
                long as it takes.
            limit: most bytes of body that are read.
            keep: most bytes of body that are kept, the first; None keeps all.

        Raises:
            UpstreamError: there is no (usable) answer; its subclass tells what happened.
        """
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        if headers:
            head += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            head.append(f"Content-Length: {len(body)}")
        head.append("\r\n")
        request = "\r\n".join(head).encode("latin-1") + body
        del head, headers  # a vehicle may be waited for, and thousands at a time
        if within_s is None:
            return self._send(request, limit, keep, None)
        timeout = gevent.Timeout.start_new(within_s)
        try:
            return self._send(request, limit, keep, within_s)
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            raise ReadError(f"no answer within {within_s:g} s") from None
        finally:
            timeout.close()

    def _send(
        self, request: bytes, limit: int, keep: int | None, timeout_s: float | None
    ) -> UpstreamResponse:
        connection = self._kept()
        if connection is None:
            return self._exchange(self._connected(), request, limit, keep, timeout_s)
        sent = time.monotonic()
        try:
            return self._exchange(connection, request, limit, keep, timeout_s)
        except _NoResponse as unheard:
            if time.monotonic() - sent > _STALE_S:
                raise
            try:
                connection = self._connected()
            except ConnectError:
                raise unheard from None  # not `ConnectError`: something was sent after all
        return self._exchange(connection, request, limit, keep, timeout_s)

    def _exchange(
        self,
        connection: Connection,
        request: bytes,
        limit: int,
        keep: int | None,
        timeout_s: float | None,
    ) -> UpstreamResponse:
        connection.reader.begin(limit, keep)
        answer = None
        try:
            answer = connection.exchange(request, timeout_s)
        except BodyOverLimit as error:
            raise ResponseTooLarge(str(error)) from None
        except InvalidResponse as error:
            raise ProtocolError(f"not an HTTP answer: {error}") from None
        except TimeoutError:
            raise ReadError("no answer in time") from None
        except OSError as error:
            raise (ReadError if connection.heard else _NoResponse)(_reported(error)) from error
        finally:
            # A connection whose answer was not read to its end, whatever the reason, an interrupt
            # too, is closed: the other side takes that as the vehicle's disconnect.
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

    def _keep(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        if self._tidying is None:
            self._tidying = gevent.spawn_later(self._idle_s, self._tidy)

    def _tidy(self) -> None:
        """Close what is idle for too long: a rush hour's connections, once it is over."""
        freshest = time.monotonic() - self._idle_s
        while self._idle and self._idle[0].idle_since <= freshest:  # the first are the oldest
            self._idle.pop(0).close()
        self._tidying = None
        if self._idle:
            self._tidying = gevent.spawn_later(self._idle[0].idle_since - freshest, self._tidy)

    def _kept(self) -> Connection | None:
        """Take the connection that was used last, if one can still be used."""
        freshest = time.monotonic() - self._idle_s
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(freshest):
                return connection
            connection.close()
        return None

    def _connected(self) -> Connection:
        try:
            sock = self._connect()
        except TimeoutError:
            raise ConnectError("no connection in time") from None
        except OSError as error:
            raise ConnectError(_reported(error)) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Connection(sock)

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


def _reported(error: OSError) -> str:
    """Say in plain words what went wrong."""
    return (error.strerror or str(error) or type(error).__name__).lower()
