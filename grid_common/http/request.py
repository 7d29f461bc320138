"""Reads HTTP/1.1 requests from the bytes of one connection, as WSGI environs. Pure: no sockets.

llhttp, through httptools, parses strictly: anything that two parsers could read differently
(contradicting lengths, bare line feeds, odd spaces) is rejected.

It gets the bytes of one request at a time. Pipelined requests stay unparsed until the current one
is answered: until then they cost no time and nearly no memory, and cannot affect the response.
"""

from io import BytesIO
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from grid_common.http.head import END, HeadReader, after
from grid_common.http.refused import Malformed

# Limits of a chunked body: the number of chunks, because each takes time, and the bytes around
# them.
_MAX_CHUNKS = 1_000
_WRAPPING_LIMIT = 32_768
# How much parsed input is kept while a request is incomplete: its end may be split across pieces.
_KEPT = len(END) - 1


class Request(NamedTuple):
    """A request to be served."""

    environ: dict[str, Any]
    keep_alive: bool  # whether another request may follow on the connection
    size: int  # about how much memory it takes, bytes


class RequestReader(HeadReader):
    """Reads the requests of one connection."""

    idle: bool  # no request is partly read
    expects_continue: bool  # the caller sends its body only after `100 Continue`
    has_more: bool  # there are bytes that `read` has not parsed
    size: int  # about how much memory an incomplete request takes, bytes
    _body: bytes | bytearray
    _left: int | None
    _upgraded: bool

    def __init__(self, common: dict[str, Any], body_limit: int) -> None:
        """Start to read a connection, whose requests share a part of their environs.

        A request with a body over the limit, bytes, is passed on with its length only, for the app
        to refuse.
        """
        super().__init__(common)
        self._body_limit = body_limit
        self._parser = HttpRequestParser(self)
        self._made: Request | None = None
        self._buffer, self._at = b"", 0  # received bytes, and how many of them were parsed
        self._ended = False
        self.has_more = False
        self.size = 0
        self._begin_body()

    def close(self) -> None:
        """Release the buffer and the parser, which refer to each other in a cycle."""
        del self._parser, self._buffer, self._body, self.environ

    def read(self, data: bytes = b"") -> Request | None:
        """Take received bytes and return the next complete request, if there is one.

        Another may already be complete behind it: see `has_more`.

        Raises:
            Malformed: the bytes are not a valid request.
        """
        buffer, at = self._buffer + data, self._at
        length = len(buffer)
        if at == length or self._ended:
            return None
        if self.idle:
            if buffer[at] in b"\r\n":  # blank lines before a request are ignored
                at = length - len(buffer[at:].lstrip(b"\r\n"))
            self.idle = at == length
        while at < length and self._made is None:
            if self._head_whole:
                end = self._end_of_body_piece(buffer, at)
            else:
                end = self._end_of_head_piece(buffer, at)
            self._parse(buffer[at:end])
            if self._left is None:
                self._check_wrapping()
            at = end
        made, self._made = self._made, None
        if self.idle and at == length:
            self._buffer, self._at = b"", 0
            self.has_more, self.size = False, 0
        else:
            kept = at if self.idle else max(0, at - _KEPT)
            self._buffer, self._at = buffer[kept:], at - kept
            self.has_more = at < length
            self.size = len(self._buffer) + self._head_size() + len(self._body)
        return made

    def _begin_body(self) -> None:
        self.idle = True
        self.expects_continue = False
        self._body = b""
        self._body_bytes = self._wire_bytes = self._chunks = 0
        self._left = 0  # bytes of the body to come, None if it is chunked
        self._upgraded = False

    def _end_of_body_piece(self, buffer: bytes, at: int) -> int:
        """Return where the next piece of the body ends: at the latest with the body."""
        if self._left is not None:
            end = at + self._left
            if end > len(buffer):
                end = len(buffer)
            self._left -= end - at
            return end
        end = after(buffer, at)
        self._wire_bytes += end - at
        if buffer.endswith(END, 0, end):  # costs as much as a chunk: a body can be full of them
            self.on_chunk_header()
        return end

    def _check_wrapping(self) -> None:
        if self._made is None and self._wire_bytes - self._body_bytes > _WRAPPING_LIMIT:
            raise Malformed(
                f"The chunks of the body have over {_WRAPPING_LIMIT} bytes of wrapping."
            )

    def _parse(self, piece: bytes) -> None:
        try:
            if self._upgraded:
                self.on_body(piece)
            else:
                self._parser.feed_data(piece)
        except HttpParserUpgrade:
            # Only HTTP/1.1 is supported, so an upgrade is ignored. llhttp leaves the body to the
            # other protocol: it is read here, and the connection ends with the response.
            self._upgraded = True
        except HttpParserError as error:
            if self._made is None:  # bytes behind a body that is too long do not matter
                raise _fault(error) from None
        if self._upgraded and not self._left and self._made is None:
            self._hand_on(self._body_bytes, keep_alive=False)

    # The other callbacks of llhttp, in the order of their calls.

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
        parser, environ = self._parser, self.environ
        self._complete_head(parser.get_method(), parser.get_http_version())
        if "HTTP_TRANSFER_ENCODING" in environ:
            if parser.should_upgrade():
                raise Malformed("Upgrade: omit it from a request with a Transfer-Encoding.")
            self._left = None
        elif "CONTENT_LENGTH" in environ:
            # llhttp has checked that there is at most one, and that it is a number.
            self._left = int(environ["CONTENT_LENGTH"])
            if self._left > self._body_limit:
                self._hand_on(self._left, keep_alive=False)
        if "HTTP_EXPECT" in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
            self.expects_continue = environ["HTTP_EXPECT"].lower() == "100-continue"

    def on_chunk_header(self) -> None:
        """Handle the start of a chunk."""
        self._chunks += 1
        if self._chunks > _MAX_CHUNKS:
            raise Malformed(f"The body comes in over {_MAX_CHUNKS} chunks.")

    def on_body(self, piece: bytes) -> None:
        """Handle a piece of the body."""
        self._body_bytes += len(piece)
        if self._made is not None:
            return
        if self._body_bytes > self._body_limit:
            self._hand_on(self._body_bytes, keep_alive=False)
        elif not self._body:
            self._body = piece  # usually all of it
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += piece

    def on_message_complete(self) -> None:
        """Handle the end of the request."""
        if self._made is None and not self._parser.should_upgrade():
            # HTTP/1.0 keeps the connection only on request; this server does not.
            is_current = self.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
            self._hand_on(
                self._body_bytes, keep_alive=is_current and self._parser.should_keep_alive()
            )
            self._begin_head()
            self._begin_body()

    def _hand_on(self, length: int, *, keep_alive: bool) -> None:
        """Pass the request to the app, with its whole body, or without one if it is too long."""
        environ = self.environ
        environ["CONTENT_LENGTH"] = str(length)
        # The body is no longer chunked. With this header the app would ignore the length, and so
        # the limit.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        body = bytes(self._body) if length == len(self._body) else b""
        environ["wsgi.input"] = BytesIO(body)
        self._made = Request(environ, keep_alive, self._head_size() + len(body))
        self._ended = not keep_alive


def _fault(error: HttpParserError) -> Malformed:
    """Return the exception that a callback raised, or describe the parser's own error."""
    if isinstance(error.__context__, Malformed):
        return error.__context__
    return Malformed(f"The request cannot be read: {error}.")
