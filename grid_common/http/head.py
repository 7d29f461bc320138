"""The head of a request: its line and its headers, made into a WSGI environ. Pure: no sockets."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, parse_url

from grid_common.api.problems import Problem, shown_name

__all__ = ["END", "HeadReader", "Malformed", "after"]

# The end of a head, and of a body in chunks.
END = b"\r\n\r\n"
_BEFORE = len(END) - 1  # bytes of it that may have come earlier

# Bounds of a request line, a header's value, and of line and headers together, bytes; those of
# vehicles have some hundred. They are counted as they come, so that a limit is the same however a
# head is cut. What reads one value, such as a list of tags, takes a millisecond for 8 KB at most.
_LINE_LIMIT = _VALUE_LIMIT = 8_192
_HEAD_LIMIT = 32_768
_MAX_HEADERS = 100
# How far before a line's feed its protocol and version begin. llhttp reads other protocols of the
# same form, such as RTSP/1.0, and does not tell.
_TO_PROTOCOL, _TO_VERSION = len("HTTP/1.1\r"), len("1.1\r")
# No header that is of use here has a longer name.
_MAX_NAME_LENGTH = 64
# The longest name that DNS has, and a port. What reads names (IDNA, routing) takes time for each
# letter, and most of it for those that are not ASCII: 115 ms for 48 KB.
_MAX_HOST_LENGTH = 255 + len(":65535")
# What Python keeps for a header beside its bytes: two strings, and a place in a dictionary.
_HEADER_BYTES = 256


class Malformed(Problem):
    """The bytes are no request that is served; the connection ends with this answer."""

    type = "urn:ev-grid:problem:malformed"
    event = "malformed request"  # in the log

    def __init__(
        self,
        detail: str,
        status: HTTPStatus = HTTPStatus.BAD_REQUEST,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail, headers=headers)
        self.status = status
        self.title = status.phrase


class HeadReader:
    """Reads the head of one request after the other; llhttp calls what begins with `on_`.

    Attributes:
        environ: what is known of the request that is being read.
    """

    environ: dict[str, Any]
    _is_http: bool

    def __init__(self, common: dict[str, Any]) -> None:
        """Begin; `common` is what the environs of all requests of a connection have in common."""
        self._common = common
        self._begin_head()

    def _begin_head(self) -> None:
        self.environ = self._common.copy()
        self._line = self._url = b""
        self._head_bytes = self._headers = 0
        self._line_whole = self._head_whole = False

    def _head_size(self) -> int:
        """About how much memory it takes, bytes."""
        return self._head_bytes + self._headers * _HEADER_BYTES

    def _end_of_head_piece(self, buffer: bytes, at: int) -> int:
        """Return where its next piece for the parser ends, which is with the head at the latest.

        Args:
            buffer: what came, from somewhere before `at` on where pieces came before.
            at: where the piece begins.

        Raises:
            Malformed: it is over a limit.
        """
        if not self._head_bytes:
            end = buffer.find(END, at) + len(END)
            if len(END) <= end <= at + _LINE_LIMIT:  # as a rule all of it came at once
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
        """Return how many bytes more may come of the line, or of all of it once the line is whole.

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
        """A piece of the target has come."""
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come.

        Raises:
            Malformed: it is one too many, or too long.
        """
        if self._head_whole:  # a trailer is no header
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
        """Note that all of it has come.

        Args:
            method: as it was parsed.
            version: the protocol's, such as 1.1.

        Raises:
            Malformed: it is no head of a request that is served.
        """
        environ = self.environ
        if version not in ("1.1", "1.0"):
            raise Malformed(
                f"HTTP/{version} is not spoken here; use HTTP/1.1.",
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
            )
        if not self._is_http:
            raise Malformed("Only HTTP is spoken here; use HTTP/1.1.")
        if version == "1.0" and "HTTP_TRANSFER_ENCODING" in environ:
            raise Malformed("Transfer-Encoding: HTTP/1.0 has none; use HTTP/1.1.")
        host = environ.get("HTTP_HOST")
        if host is None:
            if version == "1.1":
                raise Malformed("Host: it is missing; send the name or address that was called.")
        elif len(host) > _MAX_HOST_LENGTH or "," in host or not host.isascii():
            raise Malformed(
                "Host: it takes one, with the name or address that was called, at most "
                f"{_MAX_HOST_LENGTH} characters of ASCII."
            )
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        try:
            url = parse_url(self._url)
        except HttpParserError:
            raise Malformed("The request's target is no path.") from None
        path = url.path or b"/"
        if b"%" in path:
            path = unquote_to_bytes(path)
        environ["PATH_INFO"] = path.decode("latin-1")
        environ["QUERY_STRING"] = (url.query or b"").decode("latin-1")
        self._head_whole = True
        self._line = self._url = b""


def after(buffer: bytes, at: int) -> int:
    """Return where the next end of a head, or of chunks, ends; it may have begun before `at`."""
    found = buffer.find(END, max(0, at - _BEFORE))
    return len(buffer) if found < 0 else found + len(END)


@lru_cache(maxsize=512)
def _environ_key(name: bytes) -> str | None:
    """Name a header as WSGI does; None for one that could pass for another (`X_Request_ID`)."""
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
