"""Reads HTTP/1.1 answers from the bytes of one connection. Pure: no sockets.

llhttp, through httptools, parses: to read headers as the standard library does, with its e-mail
parser, was a tenth of all that a proxied request cost.
"""

from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["Answer", "AnswerReader", "NotAnAnswer"]

# Status line and headers together, those of informational answers before it too, bytes.
_HEAD_LIMIT = 16_384
# In chunks of one byte a body takes six times its length on the wire; this is more than any needs.
_WIRE_BYTES_PER_BYTE = 8


class NotAnAnswer(Exception):
    """The bytes are no answer, or one beyond its bounds."""


class Answer(NamedTuple):
    """An HTTP answer: status, the headers that matter, body."""

    status: int
    content_type: str
    retry_after: str | None
    body: bytes


class AnswerReader:
    """The answers of one connection, one after the other.

    Attributes:
        begun: a part of the answer has come, or of an informational one before it.
        reusable: the connection may carry another request; true of whole answers alone.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin(0)

    def close(self) -> None:
        """Let go of the parser: each knows the other, a cycle for the garbage collector."""
        del self._parser

    def begin(self, limit: int) -> None:
        """Get ready for the next answer, whose body may have `limit` bytes at most."""
        self._limit = limit
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = self._wire_bytes = 0
        self._status = 0
        self._head_whole = self._whole = False
        self._fault = ""
        self.begun = self.reusable = False

    def feed(self, data: bytes) -> Answer | None:
        """Take what the connection brought; return the answer once it is whole.

        Raises:
            NotAnAnswer: it is none, or beyond its bounds.
        """
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            raise NotAnAnswer("it changes to a protocol that nobody asked for") from None
        except HttpParserError as error:
            if not self._whole:
                raise NotAnAnswer(self._fault or str(error).lower()) from None
        if self._whole:
            return self._answer()
        if self._wire_bytes > _HEAD_LIMIT + _WIRE_BYTES_PER_BYTE * self._body_bytes:
            what = "the wrapping of its body is" if self._head_whole else "its headers are"
            raise NotAnAnswer(f"{what} over {_HEAD_LIMIT} bytes")
        return None

    def end(self) -> Answer | None:
        """Take it that nothing more comes; return the answer if this is how its end is told."""
        told = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        return self._answer() if self._head_whole and not told else None

    def _answer(self) -> Answer:
        retry_after = self._headers.get(b"retry-after")
        return Answer(
            self._status,
            self._headers.get(b"content-type", b"").decode("latin-1"),
            None if retry_after is None else retry_after.decode("latin-1"),
            b"".join(self._body),
        )

    # What llhttp calls, in this order.

    def on_message_begin(self) -> None:
        """An answer begins."""
        self.begun = True
        if self._whole:
            self.reusable = False  # more than was asked for: whose answer would it be?

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header has come."""
        if not self._head_whole:  # a trailer is no header
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """All headers have come."""
        if not self._whole:
            self._status = self._parser.get_status_code()
            self._head_whole = self._status >= 200

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if not self._whole:
            self._body_bytes += len(piece)
            if self._body_bytes > self._limit:
                self._fault = f"its body is over {self._limit} bytes"
                raise NotAnAnswer(self._fault)
            self._body.append(piece)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._head_whole:
            if not self._whole:
                self._whole = True
                self.reusable = self._parser.should_keep_alive()
        else:
            self._headers.clear()  # an informational answer: the real one follows, in its own time
            self.begun = False
