"""The HTTP client for the next hop: persistent connections, and one retry in one case.

UpstreamError
 ├── ConnectError           no connection: nothing was sent
 ├── ReadError              the connection broke before the response was complete
 └── ProtocolError          what came back is not a valid HTTP response
      └── ResponseTooLarge  the body is larger than allowed

Written on top of llhttp: a client library took four times as long (docs/performance.md), and each
resends by itself in some case where a request might take effect twice. This one resends only if a
kept-alive connection turns out to be closed; docs/reliability.md says when and why.
"""

import errno
import socket
import time
from typing import Any
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

# Maximum size of a response's body unless the caller says otherwise, bytes.
_RESPONSE_LIMIT = 65_536
# The next hop closes idle connections after 75 s. This side must close them first, so that none
# closes while a request is on its way.
_IDLE_S = 60.0
# If an idle connection breaks within this time of a request, before any byte of a response, it was
# already closed: the notice takes a round trip. Seconds.
_STALE_S = 1.0
_NO_FILE_LEFT = (errno.EMFILE, errno.ENFILE)


class UpstreamError(Exception):
    """The next hop gave no response; `reason` is a label for logs and metrics."""

    reason = "error"


class ConnectError(UpstreamError):
    """No connection was made, so nothing was sent."""

    reason = "refused"


class ReadError(UpstreamError):
    """The connection broke, or timed out, before the response was complete."""

    reason = "reset"


class ProtocolError(UpstreamError):
    """What came back is not a valid response."""

    reason = "garbled"


class ResponseTooLarge(ProtocolError):
    """The response's body is larger than allowed."""


class _NoResponse(ReadError):
    """The connection broke before the first byte of a response."""


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
        """Create a client of `http://host:port`; nothing is connected yet.

        At most `connections` idle connections are kept, each for `idle_s` seconds. `host` is the
        value of the `Host` header, if the URL holds a resolved address instead of the name.
        """
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 80)
        self._host = host or where.netloc.rpartition("@")[2]
        self._connect_timeout_s = connect_timeout_s
        self._connections = connections
        self._idle_s = idle_s
        self._idle: list[Connection] = []
        self._tidying: Any = None  # a timer
        _upstreams.add(self)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        within_s: float | None = None,
        limit: int = _RESPONSE_LIMIT,
        keep: int | None = None,
    ) -> UpstreamResponse:
        """Send a request and read the whole response.

        Args:
            method: the HTTP method.
            path: path and query.
            body: the body, if any.
            headers: additional headers.
            within_s: maximum time from connecting to the end of the response, seconds. None waits
                as long as the connection lasts.
            limit: maximum size of the response's body, bytes.
            keep: how many bytes of the body to keep, from its start; None keeps all.

        Raises:
            UpstreamError: there is no usable response; the subclass says what happened.
        """
        head = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        if headers:
            head += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            head.append(f"Content-Length: {len(body)}")
        head.append("\r\n")
        request = "\r\n".join(head).encode("latin-1") + body
        del head, headers  # thousands of requests may wait here at once
        if within_s is None:
            return self._send(request, limit, keep, None)
        timeout = gevent.Timeout.start_new(within_s)
        try:
            return self._send(request, limit, keep, within_s)
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            raise ReadError(f"no response within {within_s:g} s") from None
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
                raise unheard from None  # not `ConnectError`: the first attempt did send something
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
        response = None
        try:
            response = connection.exchange(request, timeout_s)
        except BodyOverLimit as error:
            raise ResponseTooLarge(str(error)) from None
        except InvalidResponse as error:
            raise ProtocolError(f"not an HTTP response: {error}") from None
        except TimeoutError:
            raise ReadError("no response in time") from None
        except OSError as error:
            raise (ReadError if connection.heard else _NoResponse)(_reported(error)) from error
        finally:
            # A connection whose response was not read to its end, for whatever reason, is closed.
            # The other side takes that as the caller's disconnect.
            if response and connection.reader.reusable and len(self._idle) < self._connections:
                self._keep(connection)
            else:
                connection.close()
        return response

    def close(self) -> None:
        """Close the idle connections now, and every other once its response has arrived."""
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
            self._tidy_in(self._idle_s)

    def _tidy_in(self, seconds: float) -> None:
        # Thousands of clients may have one each: a greenlet takes six times as much memory.
        self._tidying = gevent.get_hub().loop.timer(seconds)
        self._tidying.start(self._tidy)

    def _tidy(self) -> None:
        """Close connections that were idle for too long, such as those of a past rush hour."""
        freshest = time.monotonic() - self._idle_s
        while self._idle and self._idle[0].idle_since <= freshest:  # oldest first
            self._idle.pop(0).close()
        self._tidying.close()
        self._tidying = None
        if self._idle:
            self._tidy_in(self._idle[0].idle_since - freshest)

    def _kept(self) -> Connection | None:
        """Take the most recently used connection that is still usable."""
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
        # Idle connections must not keep this process from making new ones.
        for upstream in list(_upstreams):
            upstream.close_idle()
        return socket.create_connection(self._address, self._connect_timeout_s)


_upstreams: WeakSet[Upstream] = WeakSet()


def _reported(error: OSError) -> str:
    """Return what went wrong, in plain words."""
    return (error.strerror or str(error) or type(error).__name__).lower()
