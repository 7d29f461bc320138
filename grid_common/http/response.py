"""Reads HTTP/1.1 responses from the bytes of one connection. Pure: no sockets.

llhttp, through httptools, parses: the standard library parses headers with its e-mail parser, which
took a tenth of the cost of a proxied request.
"""

import re
from typing import NamedTuple, NoReturn

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from grid_common.http.shown import shown

# Limit of status line and headers together, including those of interim responses, bytes.
HEAD_LIMIT = 16_384
# Overhead that transfer coding may add to a body: chunks of 10 bytes on average. Each chunk is a
# call.
_WIRE_BYTES_PER_BYTE = 1.5
# Other headers are not kept: thousands of them would take a hundred times their size.
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
    """The bytes are not a response, or exceed a limit."""


class BodyOverLimit(InvalidResponse):
    """The response's body is larger than allowed."""


class UpstreamResponse(NamedTuple):
    """An HTTP response: status, the relevant headers, body."""

    status: int
    content_type: str
    retry_after: str | None
    body: bytes
    location: str | None = None
    content_encoding: str = ""
    load_metrics: str = ""  # `endpoint-load-metrics`: the load of the responding service


class ResponseReader:
    """Reads the successive responses of one connection.

    Attributes:
        reusable: whether the connection may carry another request; true only after a complete
            response.
        overhead_limit: maximum number of bytes beyond the body; may be raised while the response
            arrives.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # A length next to a Transfer-Encoding is checked here: `identity` is no coding (RFC 2616).
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)
        self.begin(0)

    def close(self) -> None:
        """Release the parser, which refers back to this object in a cycle."""
        del self._parser

    def begin(self, limit: int, keep: int | None = None) -> None:
        """Prepare for the next response.

        Args:
            limit: maximum size of its body, bytes.
            keep: how many bytes of the body to keep, from its start; None keeps all.
        """
        self._limit = limit
        self._keep = limit if keep is None else keep
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._body_bytes = self._wire_bytes = 0
        self._length: int | None = None  # of the body, if the parser does not count it
        self._status = 0
        self._head_whole = self._whole = False
        self._fault: InvalidResponse | None = None
        self.overhead_limit = HEAD_LIMIT
        self.reusable = False

    def feed(self, data: bytes) -> UpstreamResponse | None:
        """Take received bytes; return the response once it is complete.

        Raises:
            InvalidResponse: it is not a response, or exceeds a limit.
        """
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise InvalidResponse("it switches to a protocol that was not requested") from None
        except HttpParserError as error:
            if not self._whole:
                raise self._fault or InvalidResponse(str(error).lower()) from None
        if self._whole:
            return self._response()
        if self._wire_bytes > self.overhead_limit + _WIRE_BYTES_PER_BYTE * self._body_bytes:
            what = "the overhead of its body is" if self._head_whole else "its headers are"
            raise InvalidResponse(f"{what} over {self.overhead_limit} bytes")
        return None

    def end(self) -> UpstreamResponse | None:
        """Handle the end of the stream; return the response if it is delimited by that."""
        reported = (
            b"content-length" in self._headers
            or self._headers.get(b"transfer-encoding", b"identity").lower() != b"identity"
        )
        return self._response() if self._head_whole and not reported else None

    def _response(self) -> UpstreamResponse:
        headers, body = self._headers, bytes(self._body)
        self._headers, self._body = {}, bytearray()  # a connection may be idle for long
        return UpstreamResponse(
            self._status,
            headers.get(b"content-type", b"").decode("latin-1"),
            _text(headers.get(b"retry-after")),
            body,
            _text(headers.get(b"location")),
            headers.get(b"content-encoding", b"").decode("latin-1"),
            headers.get(b"endpoint-load-metrics", b"").decode("latin-1"),
        )

    def _refuse(self, fault: InvalidResponse) -> NoReturn:
        self._fault = fault
        raise fault

    # The callbacks of llhttp, in the order of their calls.

    def on_message_begin(self) -> None:
        """Handle the start of a response."""
        if self._whole:
            self.reusable = False  # a response that no request asked for

    def on_status(self, reason: bytes) -> None:
        """Handle the reason phrase, or a part of it."""
        if reason != b"OK" and _CONTROL.search(reason) and not self._whole:
            self._refuse(InvalidResponse("its reason phrase has a control character"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header."""
        name = name.lower()
        if name in _HEADERS and not self._head_whole:  # a trailer is not a header
            if name == b"transfer-encoding" and name in self._headers:
                value = self._headers[name] + b"," + value
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
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
                InvalidResponse(f"its Transfer-Encoding is {what}, which was not requested")
            )
        elif length is not None:
            self._refuse(InvalidResponse("it has both a Content-Length and a Transfer-Encoding"))

    def on_body(self, piece: bytes) -> None:
        """Handle a piece of the body."""
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
        """Handle the end of the response."""
        if self._head_whole:
            if not self._whole:
                self._whole = True
                self.reusable = self._parser.should_keep_alive()
        else:
            self._headers.clear()  # an interim response: the final one follows


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
