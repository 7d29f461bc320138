"""The head of a request: request line and headers, as a WSGI environ. Pure: no sockets."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, parse_url

from grid_common.http.refused import Malformed
from grid_common.http.shown import shown_name

# The end of a head, and of a chunked body.
END = b"\r\n\r\n"
_BEFORE = len(END) - 1  # bytes of it that an earlier piece may have contained

# Limits of the request line, of a header's value, and of line and headers together, bytes. They are
# counted as bytes arrive, so that a limit does not depend on how a head is split. To parse one
# value, such as a list of tags, takes at most a millisecond for 8 KB.
_LINE_LIMIT = _VALUE_LIMIT = 8_192
_HEAD_LIMIT = 32_768
_MAX_HEADERS = 100
# How far before a line feed the protocol and the version begin. llhttp also accepts other protocols
# of the same form, such as RTSP/1.0, without saying so.
_TO_PROTOCOL, _TO_VERSION = len("HTTP/1.1\r"), len("1.1\r")
# No header used here has a longer name.
_MAX_NAME_LENGTH = 64
# The longest DNS name, and a port. IDNA decoding and routing take time for each letter, most of it
# if they are not ASCII: 115 ms for 48 KB.
_MAX_HOST_LENGTH = 255 + len(":65535")
# Overhead of a header in Python, bytes: two strings and a dictionary entry.
_HEADER_BYTES = 256


class HeadReader:
    """Reads the heads of successive requests; llhttp calls the methods that begin with `on_`."""

    environ: dict[str, Any]  # what is known of the request being read
    _is_http: bool

    def __init__(self, common: dict[str, Any]) -> None:
        """Start reading; `common` is the part of the environ that all requests share."""
        self._common = common
        self._begin_head()

    def _begin_head(self) -> None:
        self.environ = self._common.copy()
        self._line = self._url = b""
        self._head_bytes = self._headers = 0
        self._line_whole = self._head_whole = False

    def _head_size(self) -> int:
        """Return about how much memory the head takes, bytes."""
        return self._head_bytes + self._headers * _HEADER_BYTES

    def _end_of_head_piece(self, buffer: bytes, at: int) -> int:
        """Return where the next piece for the parser ends: at the latest with the head.

        Args:
            buffer: the received bytes; includes bytes before `at` if there were earlier pieces.
            at: where the piece begins.

        Raises:
            Malformed: the head is over a limit.
        """
        if not self._head_bytes:
            end = buffer.find(END, at) + len(END)
            if len(END) <= end <= at + _LINE_LIMIT:  # the usual case: the whole head came at once
                feed = buffer.find(b"\n", at)
                self._is_http = buffer[feed - _TO_PROTOCOL : feed - _TO_VERSION] == b"HTTP/"
                self._line_whole = True
                self._head_bytes = end - at
                return end
        end = after(buffer, at) if self._line_whole else buffer.find(b"\n", at) + 1 or len(buffer)
        end = min(end, at + self._room())
        self._head_bytes += end - at
        if not self._line_whole:
            self._line += buffer[at:end]
            self._line_whole = self._line.endswith(b"\n")
            self._is_http = self._line[-_TO_PROTOCOL - 1 : -_TO_VERSION - 1] == b"HTTP/"
        return end

    def _room(self) -> int:
        """Return how many more bytes may come: of the line, or of the head after the line.

        Raises:
            Malformed: none.
        """
        room = (_HEAD_LIMIT if self._line_whole else _LINE_LIMIT) - self._head_bytes
        if room > 0:
            return room
        if self._line_whole:
            raise Malformed(
                f"The request line and headers are over {_HEAD_LIMIT} bytes.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        raise Malformed(
            f"The request line is over {_LINE_LIMIT} bytes.", HTTPStatus.REQUEST_URI_TOO_LONG
        )

    def on_url(self, url: bytes) -> None:
        """Handle a piece of the target."""
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header.

        Raises:
            Malformed: there are too many, or it is too long.
        """
        if self._head_whole:  # a trailer is not a header
            return
        self._headers += 1
        if self._headers > _MAX_HEADERS:
            raise Malformed(
                f"There are over {_MAX_HEADERS} headers.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        if len(value) > _VALUE_LIMIT:
            raise Malformed(
                f"{shown_name(name.decode('latin-1'))}: it is over {_VALUE_LIMIT} bytes.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        key = _environ_key(name) if len(name) <= _MAX_NAME_LENGTH else None
        if key is None:
            return
        text = value.decode("latin-1").strip(" \t")
        if key in self.environ:
            text = f"{self.environ[key]},{text}"
        self.environ[key] = text

    def _complete_head(self, method: bytes, version: str) -> None:
        """Complete the head; `version` is that of the protocol, such as 1.1.

        Raises:
            Malformed: it is not the head of a request that can be served.
        """
        environ = self.environ
        if version not in ("1.1", "1.0"):
            raise Malformed(
                f"HTTP/{version} is not supported; use HTTP/1.1.",
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
            )
        if not self._is_http:
            raise Malformed("Only HTTP is supported; use HTTP/1.1.")
        if version == "1.0" and "HTTP_TRANSFER_ENCODING" in environ:
            raise Malformed("Transfer-Encoding is not part of HTTP/1.0; use HTTP/1.1.")
        host = environ.get("HTTP_HOST")
        if host is None:
            if version == "1.1":
                raise Malformed("Host: is missing; send the name or address of this server.")
        elif len(host) > _MAX_HOST_LENGTH or "," in host or not host.isascii():
            raise Malformed(
                "Host: takes one value, the name or address of this server, at most "
                f"{_MAX_HOST_LENGTH} ASCII characters."
            )
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        try:
            url = parse_url(self._url)
        except HttpParserError:
            raise Malformed("The request target is not a path.") from None
        path = url.path or b"/"
        if b"%" in path:
            path = unquote_to_bytes(path)
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["QUERY_STRING"] = (url.query or b"").decode("latin-1")
        self._head_whole = True
        self._line = self._url = b""


def after(buffer: bytes, at: int) -> int:
    """Return the position behind the next end of a head or of chunks; it may begin before `at`."""
    found = buffer.find(END, max(0, at - _BEFORE))
    return len(buffer) if found < 0 else found + len(END)


@lru_cache(maxsize=512)
def _environ_key(name: bytes) -> str | None:
    """Return a header's WSGI name, or None if it could pass for another (`X_Request_ID`)."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
