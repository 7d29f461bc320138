"""Reads HTTP/1.1 requests from the bytes of one connection, into WSGI environs. Pure: no sockets.

llhttp, through httptools, parses and is strict: whatever two readers could take differently
(lengths that contradict each other, bare line feeds, odd spaces) is no request.

It is given no more at a time than belongs to one request, so that what comes behind a request waits
as the bytes that it is until that one is answered: it takes no time before, nearly no memory, and
cannot take the answer away.
"""

from io import BytesIO
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from grid_common.http.head import END, HeadReader, Malformed, after

__all__ = ["Malformed", "Request", "RequestReader"]

# What a body in chunks may have: so many of them, for each takes time, and so many bytes around.
_MAX_CHUNKS = 1_000
_WRAPPING_LIMIT = 32_768
# How much of what was parsed is kept while a request is not whole: its end may come in pieces.
_KEPT = len(END) - 1


class Request(NamedTuple):
    """A request to be answered.

    Attributes:
        environ: for the app.
        keep_alive: whether the connection may bring another.
        size: about how much memory it takes, bytes.
    """

    environ: dict[str, Any]
    keep_alive: bool
    size: int


class RequestReader(HeadReader):
    """The requests of one connection.

    Attributes:
        idle: no request has begun that is not whole.
        expects_continue: the caller sends its body once it is told to.
        has_more: bytes have come that `read` has not looked at.
        size: about how much memory is taken by what is no whole request yet, bytes.
    """

    idle: bool
    expects_continue: bool
    _body: bytes | bytearray
    _left: int | None
    _upgraded: bool

    def __init__(self, common: dict[str, Any], body_limit: int) -> None:
        """Begin to read a connection.

        Args:
            common: what the environs of all its requests have in common.
            body_limit: most bytes of a body that are kept. A request with a longer one is handed on
                with its length alone, for the app to refuse.
        """
        super().__init__(common)
        self._body_limit = body_limit
        self._parser = HttpRequestParser(self)
        self._made: Request | None = None
        self._buffer, self._at = b"", 0  # what came, and how much of it was read
        self._ended = False
        self.has_more = False
        self.size = 0
        self._begin_body()

    def close(self) -> None:
        """Let go of all that came, and of the parser: each knows the other, a cycle for the GC."""
        del self._parser, self._buffer, self._body, self.environ

    def read(self, data: bytes = b"") -> Request | None:
        """Take what the connection brought, and return the next request that is whole by now.

        There may be another after it, for which no more has to come: `has_more` tells.

        Raises:
            Malformed: it cannot be a request.
        """
        buffer, at = self._buffer + data, self._at
        length = len(buffer)
        if at == length or self._ended:
            return None
        if self.idle:
            if buffer[at] in b"\r\n":  # blank lines before a request are nothing
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
        self._left = 0  # bytes of the body to come, None where it comes in chunks
        self._upgraded = False

    def _end_of_body_piece(self, buffer: bytes, at: int) -> int:
        """Return where the next piece of the body ends, with the body at the latest."""
        if self._left is not None:
            end = at + self._left
            if end > len(buffer):
                end = len(buffer)
            self._left -= end - at
            return end
        end = after(buffer, at)
        self._wire_bytes += end - at
        if buffer.endswith(END, 0, end):  # as dear as a chunk: a body can be full of such
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
            # Only HTTP/1.1 is spoken here, so a request to change is passed over. llhttp leaves the
            # body to the other protocol: it is read here, and the connection ends with its answer.
            self._upgraded = True
        except HttpParserError as error:
            if self._made is None:  # what follows a body that is too long is nobody's business
                raise _fault(error) from None
        if self._upgraded and not self._left and self._made is None:
            self._hand_on(self._body_bytes, keep_alive=False)

    # What else llhttp calls, in this order.

    def on_headers_complete(self) -> None:
        """All headers have come."""
        parser, environ = self._parser, self.environ
        self._complete_head(parser.get_method(), parser.get_http_version())
        if "HTTP_TRANSFER_ENCODING" in environ:
            if parser.should_upgrade():
                raise Malformed("Upgrade: leave it out of a request with a Transfer-Encoding.")
            self._left = None
        elif "CONTENT_LENGTH" in environ:
            # llhttp has seen to it that there is one at most, and that it is a number.
            self._left = int(environ["CONTENT_LENGTH"])
            if self._left > self._body_limit:
                self._hand_on(self._left, keep_alive=False)
        if "HTTP_EXPECT" in environ and environ["SERVER_PROTOCOL"] == "HTTP/1.1":
            self.expects_continue = environ["HTTP_EXPECT"].lower() == "100-continue"

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1
        if self._chunks > _MAX_CHUNKS:
            raise Malformed(f"The body comes in over {_MAX_CHUNKS} chunks.")

    def on_body(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._body_bytes += len(piece)
        if self._made is not None:
            return
        if self._body_bytes > self._body_limit:
            self._hand_on(self._body_bytes, keep_alive=False)
        elif not self._body:
            self._body = piece  # as a rule all of it
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += piece

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._made is None and not self._parser.should_upgrade():
            # HTTP/1.0 would have to be told that the connection is kept: it is not.
            is_current = self.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
            self._hand_on(
                self._body_bytes, keep_alive=is_current and self._parser.should_keep_alive()
            )
            self._begin_head()
            self._begin_body()

    def _hand_on(self, length: int, *, keep_alive: bool) -> None:
        """Give the request to the app, with all of its body or, if that is too long, none."""
        environ = self.environ
        environ["CONTENT_LENGTH"] = str(length)
        # No chunks are left; with this the app would pass over the length, and so over the limit.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        body = bytes(self._body) if length == len(self._body) else b""
        environ["wsgi.input"] = BytesIO(body)
        self._made = Request(environ, keep_alive, self._head_size() + len(body))
        self._ended = not keep_alive


def _fault(error: HttpParserError) -> Malformed:
    """Return what was raised by what llhttp called, or tell what it met itself."""
    if isinstance(error.__context__, Malformed):
        return error.__context__
    return Malformed(f"The request cannot be read: {error}.")
