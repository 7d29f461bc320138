"""The HTTP client towards the next hop: kept-alive connections, no retries of its own.

UpstreamError
 ├── Refused     no connection: nothing was sent
 ├── Reset       the connection broke before the answer was whole
 └── Garbled     what came back is not an HTTP answer within bounds
"""

from typing import NamedTuple

import urllib3
import urllib3.connection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.util import parse_url

from grid_common.interrupt import has_hung_up

__all__ = ["Answer", "Garbled", "Refused", "Reset", "Upstream", "UpstreamError"]

# Answers of the grid are a few hundred bytes; more than this is not one of them.
_ANSWER_LIMIT = 65_536


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


class Answer(NamedTuple):
    """An HTTP answer: status, lower-cased headers that matter, body."""

    status: int
    content_type: str
    retry_after: str | None
    body: bytes


class _Connection(urllib3.connection.HTTPConnection):
    """A connection that tells from the kernel's own state whether it still stands.

    urllib3 asks with a poll, which under gevent is a turn of the event loop for each request.
    """

    @property
    def is_connected(self) -> bool:
        """Whether a kept-alive connection can be used again."""
        return self.sock is not None and not has_hung_up(self.sock)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class Upstream:
    """One address of the next hop."""

    def __init__(self, url: str, *, connect_timeout_s: float, connections: int) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            url: `http://host:port`.
            connect_timeout_s: longest that making a connection may take.
            connections: how many idle connections are kept.
        """
        where = parse_url(url)
        self._pool = _Pool(where.host or "", where.port, maxsize=connections, block=False)
        self._connect_timeout_s = connect_timeout_s

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
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
            read_timeout_s: longest silence; None waits as long as the connection stands, as a
                vehicle's charge takes as long as it takes.
            limit: most bytes of body that are read.

        Raises:
            UpstreamError: there is no (usable) answer; its subclass tells what happened.
        """
        try:
            response = self._pool.urlopen(
                method,
                path,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self._connect_timeout_s, read=read_timeout_s),
            )
            data = _read(response, limit)
        except (NewConnectionError, ConnectTimeoutError, NameResolutionError) as error:
            raise Refused(_told(error)) from error
        except (ProtocolError, ReadTimeoutError, OSError) as error:
            raise (Garbled if _is_garbage(error) else Reset)(_told(error)) from error
        except HTTPError as error:
            raise Garbled(_told(error)) from error
        return Answer(
            response.status,
            response.headers.get("content-type", ""),
            response.headers.get("retry-after"),
            data,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()


def _read(response: urllib3.BaseHTTPResponse, limit: int) -> bytes:
    """Read a bounded body and hand the connection back; whatever ends the reading, ends it too."""
    whole = False
    try:
        data = response.read(limit + 1)
        whole = len(data) <= limit and not response.length_remaining
    finally:
        if whole:
            response.release_conn()
        else:
            response.close()
    if len(data) > limit:
        raise Garbled(f"the answer's body is over {limit} bytes")
    if not whole:
        raise Reset(f"the answer ended {response.length_remaining} bytes early")
    return data


def _is_garbage(error: Exception) -> bool:
    """Tell an answer that is no HTTP (BadStatusLine and its like) from a broken line."""
    cause = error.args[1] if len(error.args) > 1 else None
    return type(cause).__module__ == "http.client" and type(cause).__name__ not in (
        "RemoteDisconnected",
        "IncompleteRead",
    )


def _told(error: Exception) -> str:
    """Say in plain words what went wrong: the system's own, without the client's wrapping."""
    if isinstance(error, ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, ReadTimeoutError):
        return "no answer in time"
    cause = error.__cause__ or error
    for wrapped in error.args:
        cause = wrapped if isinstance(wrapped, Exception) else cause
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return str(cause) or type(cause).__name__
