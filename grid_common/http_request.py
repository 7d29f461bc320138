"""Reads HTTP/1.1 requests from the bytes of one connection, into WSGI environs. Pure: no sockets.

llhttp, through httptools, parses and is strict: whatever two readers could take differently
(lengths that contradict each other, bare line feeds, odd spaces) is no request.
"""

from collections import deque
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url

from grid_common.problems import Problem

__all__ = ["Malformed", "Request", "RequestReader"]

# A request line and its headers together, bytes; those of vehicles have some hundred.
_HEAD_LIMIT = 32_768
# In chunks of one byte a body takes six times its length on the wire; this is more than any needs.
_WIRE_BYTES_PER_BYTE = 8
# No header that is of use here has a longer name.
_LONGEST_NAME = 64


class Malformed(Problem):
    """The bytes are no request that is served; the connection ends with this answer."""

    type = "urn:ev-grid:problem:malformed"

    def __init__(self, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail)
        self.status = status
        self.title = status.phrase


class Request(NamedTuple):
    """A request to be answered; `keep_alive` tells whether the connection may bring another."""

    environ: dict[str, Any]
    keep_alive: bool


class RequestReader:
    """The requests of one connection.

    Attributes:
        idle: no request has begun that is not whole.
        expects_continue: the caller sends its body once it is told to.
    """

    idle: bool
    expects_continue: bool
    _head_whole: bool
    _handed_on: bool
    _upgraded: bool

    def __init__(self, common: dict[str, Any], body_limit: int) -> None:
        """Begin to read a connection.

        Args:
            common: what the environs of all its requests have in common.
            body_limit: most bytes of a body that are kept. A request with a longer one is handed on
                with its length alone, for the app to refuse.
        """
        self._common = common
        self._body_limit = body_limit
        self._parser = HttpRequestParser(self)
        self._requests: deque[Request] = deque()
        self._fault: Malformed | None = None
        self._begin()

    def close(self) -> None:
        """Let go of the parser: each knows the other, a cycle for the garbage collector."""
        del self._parser

    def feed(self, data: bytes) -> deque[Request]:
        """Take what the connection brought and return the requests that it made whole.

        Raises:
            Malformed: it cannot be a request.
        """
        requests = self._requests = deque()
        try:
            if self._upgraded:
                self.on_body(data)
            else:
                self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # Only HTTP/1.1 is spoken here, so a wish to change is passed over. llhttp left the body
            # to the other protocol: it is read here, and the connection ends after its answer.
            self._upgraded = True
            self.on_body(data[upgrade.args[0] :])
        except HttpParserError as error:
            ends = self._handed_on or (requests and not requests[-1].keep_alive)
            if not ends:  # what comes after the last request of a connection is nobody's business
                fault, self._fault = self._fault, None
                raise fault or Malformed(f"The request cannot be read: {error}.") from None
        if self._upgraded and not self._handed_on and self._body_bytes >= self._announced():
            self._hand_on(self._announced(), keep_alive=False)
        if not (self.idle or self._handed_on):
            self._check_size(len(data))
        self._requests = deque()
        return requests

    def _begin(self) -> None:
        self.idle = True
        self.expects_continue = False
        self._environ: dict[str, Any] = {}
        self._url = b""
        self._body = bytearray()
        self._body_bytes = self._wire_bytes = 0
        self._head_whole = self._handed_on = self._upgraded = False

    # What llhttp calls, in this order.

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._handed_on:
            self._environ = self._common.copy()
            self.idle = False

    def on_url(self, url: bytes) -> None:
        """A piece of the target has come."""
        if not self._handed_on:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        if self._head_whole or len(name) > _LONGEST_NAME:  # a trailer is no header
            return
        key = _environ_key(name)
        if key is None:
            return
        text = value.decode("latin-1")
        before = self._environ.get(key)
        self._environ[key] = text if before is None else f"{before},{text}"

    def on_headers_complete(self) -> None:
        """All headers have come."""
        if self._handed_on:
            return
        self._head_whole = True
        environ = self._environ
        version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._refuse(f"HTTP/{version} is not spoken here; use HTTP/1.1.", 505)
        if version == "1.0" and "HTTP_TRANSFER_ENCODING" in environ:
            self._refuse("Transfer-Encoding: HTTP/1.0 has none; use HTTP/1.1.")
        if version == "1.1" and "," in environ.get("HTTP_HOST", ","):
            self._refuse("Host: it takes one, with the name or address that was called.")
        environ["REQUEST_METHOD"] = self._parser.get_method().decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        self._read_url()
        if self._parser.should_upgrade() and "HTTP_TRANSFER_ENCODING" in environ:
            self._refuse("Upgrade: leave it out of a request with a Transfer-Encoding.")
        announced = self._announced()
        if announced > self._body_limit:
            self._hand_on(announced, keep_alive=False)
        expects = environ.get("HTTP_EXPECT", "").lower()
        self.expects_continue = expects == "100-continue" and version == "1.1"

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if self._handed_on:
            return
        self._body_bytes += len(piece)
        if self._body_bytes > self._body_limit:
            self._hand_on(self._body_bytes, keep_alive=False)
        else:
            self._body += piece

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._handed_on and not self._parser.should_upgrade():
            # HTTP/1.0 would have to be told that the connection is kept: it is not.
            kept = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
            self._hand_on(self._body_bytes, keep_alive=kept)
            self._begin()

    def _read_url(self) -> None:
        try:
            url = parse_url(self._url)
        except HttpParserError:
            self._refuse("The request's target is no path.")
        path = url.path or b"/"
        if b"%" in path:
            path = unquote_to_bytes(path)
        self._environ["PATH_INFO"] = path.decode("latin-1")
        self._environ["QUERY_STRING"] = (url.query or b"").decode("latin-1")

    def _announced(self) -> int:
        # llhttp has seen to it that there is one at most, and that it is a number.
        return int(self._environ.get("CONTENT_LENGTH", 0))

    def _hand_on(self, length: int, *, keep_alive: bool) -> None:
        """Give the request to the app, with all of its body or, if that is too long, none."""
        environ = self._environ
        environ["CONTENT_LENGTH"] = str(length)
        # No chunks are left; with this the app would pass over the length, and so over the limit.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["wsgi.input"] = BytesIO(self._body[:length])
        self._requests.append(Request(environ, keep_alive))
        self._handed_on = True

    def _check_size(self, more: int) -> None:
        """Bound what a request brings beside its body, to within one reading of the connection."""
        self._wire_bytes += more
        if self._wire_bytes <= _HEAD_LIMIT + _WIRE_BYTES_PER_BYTE * self._body_bytes:
            return
        if self._head_whole:
            raise Malformed(f"The chunks of the body have over {_HEAD_LIMIT} bytes of wrapping.")
        raise Malformed(
            f"The request line and headers are over {_HEAD_LIMIT} bytes.",
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        )

    def _refuse(self, detail: str, status: int = 400) -> None:
        self._fault = Malformed(detail, HTTPStatus(status))
        raise self._fault


@lru_cache(maxsize=512)
def _environ_key(name: bytes) -> str | None:
    """Name a header as WSGI does; None for one that could pass for another (`X_Request_ID`)."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
