"""The head of a request: its line and its headers, made into a WSGI environ. Pure: no sockets."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserError, parse_url

from grid_common.problems import Problem, shown_name

__all__ = ["END", "Head", "Malformed", "after"]

# The end of a head, and of a body in chunks.
END = b"\r\n\r\n"
_BEFORE = len(END) - 1  # bytes of it that may have come earlier
_LINE_FEED = b"\n"[0]

# Bounds of a request line, a header's value, and of line and headers together, bytes; those of
# vehicles have some hundred. They are counted as they come, so that a limit is the same however a
# head is cut. What reads one value, such as a list of tags, takes a millisecond for 8 KB at most.
_LINE_LIMIT = _VALUE_LIMIT = 8_192
_HEAD_LIMIT = 32_768
_MOST_HEADERS = 100
# No header that is of use here has a longer name.
_LONGEST_NAME = 64
# The longest name that DNS has, and a port. What reads names (IDNA, routing) takes time for each
# letter, and most of it for those that are not ASCII: 115 ms for 48 KB.
_LONGEST_HOST = 255 + len(":65535")
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


class Head:
    """A head that is read piece by piece.

    Attributes:
        environ: what is known so far.
        line_whole: the request line has come.
        whole: all of it has come.
    """

    __slots__ = ("_bytes", "_headers", "_line", "_url", "environ", "line_whole", "whole")

    def __init__(self, common: dict[str, Any]) -> None:
        """Begin; `common` is what the environs of all requests of a connection have in common."""
        self.environ = common.copy()
        self.line_whole = self.whole = False
        self._line = self._url = b""
        self._bytes = self._headers = 0

    @property
    def size(self) -> int:
        """About how much memory it takes, bytes."""
        return self._bytes + self._headers * _HEADER_BYTES

    def end_of_piece(self, buffer: bytes, at: int) -> int:
        """Return where its next piece for the parser ends, which is with the head at the latest.

        Args:
            buffer: what came, from somewhere before `at` on where pieces came before.
            at: where the piece begins.

        Raises:
            Malformed: it is over a limit.
        """
        if not self._bytes:
            end = buffer.find(END, at) + len(END)
            if len(END) <= end <= at + _LINE_LIMIT:  # as a rule all of it came at once
                self._line = buffer[at : buffer.find(b"\n", at) - 1]
                self.line_whole = True
                self._bytes = end - at
                return end
        end = after(buffer, at) if self.line_whole else buffer.find(b"\n", at) + 1 or len(buffer)
        end = min(end, at + self._room())
        self._bytes += end - at
        if not self.line_whole:
            self._line += buffer[at:end].rstrip(b"\r\n")
            self.line_whole = buffer[end - 1] == _LINE_FEED
        return end

    def _room(self) -> int:
        """Return how many bytes more may come of the line, or of all of it once the line is whole.

        Raises:
            Malformed: none.
        """
        room = (_HEAD_LIMIT if self.line_whole else _LINE_LIMIT) - self._bytes
        if room > 0:
            return room
        if self.line_whole:
            raise Malformed(
                f"The request line and headers are over {_HEAD_LIMIT} bytes.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        raise Malformed(
            f"The request line is over {_LINE_LIMIT} bytes.", HTTPStatus.REQUEST_URI_TOO_LONG
        )

    def add_to_url(self, piece: bytes) -> None:
        """Take a piece of the target."""
        self._url += piece

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take a header.

        Raises:
            Malformed: it is one too many, or too long.
        """
        self._headers += 1
        if self._headers > _MOST_HEADERS:
            raise Malformed(
                f"There are over {_MOST_HEADERS} headers.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        if len(value) > _VALUE_LIMIT:
            raise Malformed(
                f"{shown_name(name.decode('latin-1'))}: it is over {_VALUE_LIMIT} bytes.",
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            )
        key = _environ_key(name) if len(name) <= _LONGEST_NAME else None
        if key is None:
            return
        text = value.decode("latin-1").strip(" \t")
        before = self.environ.get(key)
        self.environ[key] = text if before is None else f"{before},{text}"

    def complete(self, method: bytes, version: str) -> None:
        """Note that all of it has come.

        Args:
            method: as it was parsed.
            version: the protocol's, such as 1.1.

        Raises:
            Malformed: it is no head of a request that is served.
        """
        environ = self.environ
        if version not in ("1.0", "1.1"):
            raise Malformed(
                f"HTTP/{version} is not spoken here; use HTTP/1.1.",
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
            )
        # llhttp reads other protocols of the same form, such as RTSP/1.0, and does not tell.
        if not self._line.rpartition(b" ")[2].startswith(b"HTTP/"):
            raise Malformed("Only HTTP is spoken here; use HTTP/1.1.")
        if version == "1.0" and "HTTP_TRANSFER_ENCODING" in environ:
            raise Malformed("Transfer-Encoding: HTTP/1.0 has none; use HTTP/1.1.")
        host = environ.get("HTTP_HOST")
        if host is None:
            if version == "1.1":
                raise Malformed("Host: it is missing; send the name or address that was called.")
        elif "," in host or len(host) > _LONGEST_HOST or not host.isascii():
            raise Malformed(
                "Host: it takes one, with the name or address that was called, at most "
                f"{_LONGEST_HOST} characters of ASCII."
            )
        environ["REQUEST_METHOD"] = method.decode("latin-1")
        environ["SERVER_PROTOCOL"] = f"HTTP/{version}"
        self._read_url()
        self.whole = True
        self._line = self._url = b""

    def _read_url(self) -> None:
        try:
            url = parse_url(self._url)
        except HttpParserError:
            raise Malformed("The request's target is no path.") from None
        path = url.path or b"/"
        if b"%" in path:
            path = unquote_to_bytes(path)
        self.environ["PATH_INFO"] = path.decode("latin-1")
        self.environ["QUERY_STRING"] = (url.query or b"").decode("latin-1")


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
