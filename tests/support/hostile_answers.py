"""Responses of a hostile or badly broken substation."""

import gzip

from tests.support.raw_substation import CHARGED, Bytes, http

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"x" * 1_000_000

# None of these is a response.
GARBAGE = {
    "a header line of 10 MB": Bytes(OK + b"X: " + MEGABYTE * 10 + b"\r\n\r\n"),
    "a header line that never ends": Bytes(OK + b"X: ", MEGABYTE),
    "100,000 headers": Bytes(OK + b"X: y\r\n" * 100_000 + b"Content-Length: 0\r\n\r\n"),
    "headers that never end": Bytes(OK, b"X: y\r\n" * 10_000),
    "a status line that never ends": Bytes(b"HTTP/1.1 200 ", MEGABYTE),
    "100 Continue for ever": Bytes(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000),
    "103 Early Hints for ever": Bytes(b"", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" * 10_000),
    "a body that never ends": Bytes(OK + b"\r\n", MEGABYTE),
    "chunks that never end": Bytes(CHUNKED, b"a\r\n0123456789\r\n" * 10_000),
    "a chunk of 2^64 bytes": Bytes(CHUNKED + b"FFFFFFFFFFFFFFFF\r\n", MEGABYTE),
    "a chunk size that never ends": Bytes(CHUNKED, b"0" * 1_000_000),
    "a chunk extension that never ends": Bytes(CHUNKED + b"5;", MEGABYTE),
    "a chunk of -5 bytes": Bytes(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that is no number": Bytes(CHUNKED + b"five\r\nhello\r\n0\r\n\r\n"),
    "trailers that never end": Bytes(CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000),
    "a Content-Length of 10^30": Bytes(OK + b"Content-Length: 1%030d\r\n\r\n" % 0, MEGABYTE),
    "a Content-Length of 50,000 digits": Bytes(
        OK + b"Content-Length: " + b"9" * 50_000 + b"\r\n\r\n", MEGABYTE
    ),
    "two Content-Lengths that differ": http(CHARGED, b"Content-Length: 21", b"Content-Length: 2"),
    "a Content-Length that is too long": Bytes(
        OK + b"Content-Length: 22\r\n\r\n" + CHARGED, disconnect=True
    ),
    "nothing": Bytes(b"", disconnect=True),
    "another protocol": Bytes(b"SSH-2.0-OpenSSH_9.6\r\n", disconnect=True),
    "a TLS alert": Bytes(b"\x15\x03\x01\x00\x02\x02\x46", disconnect=True),
    "HTTP/2": Bytes(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18, disconnect=True),
    "HTTP/0.9": Bytes(CHARGED, disconnect=True),
    "a status of -1": http(CHARGED, status=b"-1 OK"),
    "a status that is no number": http(CHARGED, status=b"OK"),
}
# These are ambiguous: either a response or an error, but never an endless wait.
MUDDLE = {
    "a Content-Length of -1": http(CHARGED, b"Content-Length: -1"),
    "a Content-Length that is no number": http(CHARGED, b"Content-Length: many"),
    "a Content-Length beside chunks": Bytes(
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "an unknown Transfer-Encoding": http(CHARGED, b"Transfer-Encoding: gzip"),
    "a status of 1000": http(CHARGED, status=b"1000 OK"),
    "101 Switching Protocols": Bytes(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n" + CHARGED),
    "headers folded over lines": Bytes(OK + b"Content-\r\n Length: 21\r\n\r\n" + CHARGED),
    "a NUL in a header": http(CHARGED, b"Content-Length: 21", b"X: \0"),
    "a header without a colon": http(CHARGED, b"Content-Length: 21", b"X"),
    "line feeds alone": Bytes((OK + b"Content-Length: 21\r\n\r\n").replace(b"\r", b"") + CHARGED),
}
_ZEROS = gzip.compress(bytes(60_000_000))
BOMB = http(_ZEROS, b"Content-Length: %d" % len(_ZEROS), b"Content-Encoding: gzip")
