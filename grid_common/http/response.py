"""Reads HTTP/1.1 answers from the bytes of one connection. Pure: no sockets.

llhttp, through httptools, parses: to read headers as the standard library does, with its e-mail
parser, was a tenth of all that a proxied request cost.
"""

import re
from typing import NamedTuple, NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from grid_common.shown import shown

__all__ = ["BodyOverLimit", "InvalidResponse", "ResponseReader", "UpstreamResponse"]

# Status line and headers together, those of informational answers before it too, bytes.
HEAD_LIMIT = 16_384
# What the wrapping of a body may add to it: chunks of 10 bytes on average. Each chunk is a call.
_WIRE_BYTES_PER_BYTE = 1.5
# The rest is not kept: thousands of headers would take a hundred times their bytes.
_HEADERS = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"endpoint-load-metrics",
        b"location",
        b"retry-after",
        b"transfer-encoding",
    }
)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class InvalidResponse(Exception):
    """The bytes are no answer, or one beyond its bounds."""


class BodyOverLimit(InvalidResponse):
    """The answer's body is larger than was allowed."""


class UpstreamResponse(NamedTuple):
    """An HTTP answer: status, the headers that matter, body."""

    status: int
    content_type: str
    retry_after: str | None
    body: bytes
    location: str | None = None
    content_encoding: str = ""
    load_metrics: str = ""  # `endpoint-load-metrics`: how busy who answered is


class ResponseReader:
    """The answers of one connection, one after the other.

    Attributes:
        reusable: the connection may carry another request; true of whole answers alone.
        overhead_limit: bytes beyond those of the body that an answer may have; may be raised while
            it arrives.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # A length beside a Transfer-Encoding is judged here: `identity` is none (RFC 2616).
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)
        self.begin(0)

    def close(self) -> None:
        """Let go of the parser: each knows the other, a cycle for the garbage collector."""
        del self._parser

    def begin(self, limit: int, keep: int | None = None) -> None:
        """Get ready for the next answer.

        Args:
            limit: most bytes of body that it may have.
            keep: most bytes of body that are kept, the first; None keeps all.
        """
        self._limit = limit
        self._keep = limit if keep is None else keep
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._body_bytes = self._wire_bytes = 0
        self._length: int | None = None  # of the body, where the parser does not go by it
        self._status = 0
        self._head_whole = self._whole = False
        self._fault: InvalidResponse | None = None
        self.overhead_limit = HEAD_LIMIT
        self.reusable = False

    def feed(self, data: bytes) -> UpstreamResponse | None:
        """Take what the connection brought; return the answer once it is whole.

        Raises:
            InvalidResponse: it is none, or beyond its bounds.
        """
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise InvalidResponse("it changes to a protocol that nobody asked for") from None
        except HttpParserError as error:
            if not self._whole:
                raise self._fault or InvalidResponse(str(error).lower()) from None
        if self._whole:
            return self._answer()
        if self._wire_bytes > self.overhead_limit + _WIRE_BYTES_PER_BYTE * self._body_bytes:
            what = "the wrapping of its body is" if self._head_whole else "its headers are"
            raise InvalidResponse(f"{what} over {self.overhead_limit} bytes")
        return None

    def end(self) -> UpstreamResponse | None:
        """Take it that nothing more comes; return the answer if this is how its end is told."""
        reported = (
            b"content-length" in self._headers
            or self._headers.get(b"transfer-encoding", b"identity").lower() != b"identity"
        )
        return self._answer() if self._head_whole and not reported else None

    def _answer(self) -> UpstreamResponse:
        headers = self._headers
        return UpstreamResponse(
            self._status,
            headers.get(b"content-type", b"").decode("latin-1"),
            _text(headers.get(b"retry-after")),
            bytes(self._body),
            _text(headers.get(b"location")),
            headers.get(b"content-encoding", b"").decode("latin-1"),
            headers.get(b"endpoint-load-metrics", b"").decode("latin-1"),
        )

    def _refuse(self, fault: InvalidResponse) -> NoReturn:
        self._fault = fault
        raise fault

    # What llhttp calls, in this order.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self._whole:
            self.reusable = False  # more than was asked for: whose answer would it be?

    def on_status(self, reason: bytes) -> None:
        """The words behind the status have come, or a part of them."""
        if reason != b"OK" and _CONTROL.search(reason) and not self._whole:
            self._refuse(InvalidResponse("its reason phrase has a control character"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        name = name.lower()
        if name in _HEADERS and not self._head_whole:  # a trailer is no header
            if name == b"transfer-encoding" and name in self._headers:
                value = self._headers[name] + b"," + value
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """All headers have come."""
        if not self._whole:
            self._status = self._parser.get_status_code()
            self._head_whole = self._status >= 200
            if self._head_whole and b"transfer-encoding" in self._headers:
                self._check_coding(self._headers[b"transfer-encoding"])

    def _check_coding(self, coding: bytes) -> None:
        length = self._headers.get(b"content-length")
        if coding.lower() == b"identity":
            if length is not None:
                self._length = int(length)
                self._end_at_length()
        elif coding.lower() != b"chunked":
            what = shown(coding.decode("latin-1"))
            self._refuse(
                InvalidResponse(f"its Transfer-Encoding is {what}, which nobody asked for")
            )
        elif length is not None:
            self._refuse(InvalidResponse("it has a Content-Length beside a Transfer-Encoding"))

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if not self._whole:
            if self._length is not None:
                piece = piece[: self._length - self._body_bytes]
            self._body_bytes += len(piece)
            if self._body_bytes > self._limit:
                self._refuse(BodyOverLimit(f"its body is over {self._limit} bytes"))
            if len(self._body) < self._keep:
                self._body += piece[: self._keep - len(self._body)]
            self._end_at_length()

    def _end_at_length(self) -> None:
        if self._length is not None and self._body_bytes >= self._length:
            self._whole = True

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._head_whole:
            if not self._whole:
                self._whole = True
                self.reusable = self._parser.should_keep_alive()
        else:
            self._headers.clear()  # an informational answer: the real one follows, in its own time


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
