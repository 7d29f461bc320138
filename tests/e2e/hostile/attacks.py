"""What is sent to each service: bytes that are no request, or a request that means harm.

Each is followed by silence; the caller leaves its side open.
"""

import gzip
import random
from typing import NamedTuple

MARK = "evil-mark"  # an answer never has it in a header, a log never on a line of its own
HEAD = b"POST /charge HTTP/1.1\r\nHost: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = HEAD + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"x" * 1_000_000


class Attack(NamedTuple):
    """Bytes, and the status of the answer that they get, or those that they may get."""

    data: bytes
    answers: str


def head(*headers: bytes, body: bytes = b"{}", answers: str = "400") -> Attack:
    """A charge with these headers."""
    return Attack(
        HEAD + JSON + b"".join(one + b"\r\n" for one in headers) + b"\r\n" + body, answers
    )


def json(body: bytes, answers: str = "400") -> Attack:
    """A charge with this body."""
    return head(b"Content-Length: %d" % len(body), body=body, answers=answers)


def get(target: bytes, *headers: bytes, answers: str) -> Attack:
    lines = (b"GET " + target + b" HTTP/1.1", b"Host: 127.0.0.1", b"Connection: close", *headers)
    return Attack(b"\r\n".join((*lines, b"", b"")), answers)


FRAMING = {
    "Content-Length of -1": head(b"Content-Length: -1"),
    "Content-Length of +2": head(b"Content-Length: +2"),
    "Content-Length of 0x2": head(b"Content-Length: 0x2"),
    "Content-Length of 2, 2": head(b"Content-Length: 2, 2"),
    "an empty Content-Length": head(b"Content-Length:"),
    "Content-Length of 10^30": head(b"Content-Length: 1%030d" % 0),
    "Content-Length of 10^15": head(b"Content-Length: 1%015d" % 0, answers="413"),
    "Content-Length of 20,000 digits": head(b"Content-Length: " + b"9" * 20_000),
    "two different Content-Lengths": head(b"Content-Length: 2", b"Content-Length: 3"),
    "two equal Content-Lengths": head(b"Content-Length: 2", b"Content-Length: 2"),
    "Content-Length shorter than the body": head(b"Content-Length: 5", body=b'{"kwh": -1}'),
    "Content-Length beside chunks": head(
        b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "chunks beside Content-Length": head(
        b"Transfer-Encoding: chunked", b"Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "Transfer-Encoding twice": head(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"
    ),
    "Transfer-Encoding: xchunked": head(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "Transfer-Encoding with a tab before its colon": head(
        b"Transfer-Encoding\t: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"
    ),
    "Transfer_Encoding": head(b"Transfer_Encoding: chunked", b"Content-Length: 1", body=b"0"),
    "Transfer-Encoding folded over two lines": head(
        b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"
    ),
    "a chunk of -1": Attack(CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n", "400"),
    "a chunk of 0x2": Attack(CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n", "400"),
    "a chunk of 16^17 bytes": Attack(CHUNKED + b"F" * 17 + b"\r\n" + MEGABYTE, "400"),
    "a chunk of 16^15 bytes": Attack(CHUNKED + b"F" * 15 + b"\r\n" + MEGABYTE, "413"),
    "a chunk longer than its size": Attack(CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n", "400"),
    "a chunk with an endless size line": Attack(CHUNKED + b"2;" + MEGABYTE, "400"),
    "a chunk's size with 1 MB of zeros": Attack(CHUNKED + b"0" * 1_000_000, "400"),
    "endless chunks of one byte": Attack(CHUNKED + b"1\r\nx\r\n" * 200_000, "400"),
    "chunks over the limit that begin with a whole charge": Attack(
        CHUNKED
        + b'9\r\n{"kwh":1}\r\n'
        + b"1000\r\n"
        + b" " * 4096
        + b"\r\n"
        + b"fff0\r\n"
        + b" " * 0xFFF0
        + b"\r\n0\r\n\r\n",
        "413",
    ),
    "a chunk full of line ends": Attack(
        CHUNKED + b"ea60\r\n" + b"\r\n" * 30_000 + b"\r\n0\r\n\r\n", "400"
    ),
    "endless trailers": Attack(CHUNKED + b"0\r\n" + b"X: y\r\n" * 200_000, "400"),
    "a body of 5 MB": head(b"Content-Length: 5000000", body=MEGABYTE * 5, answers="413"),
    "a body of 5 MB, announced with Expect": head(
        b"Content-Length: 5000000", b"Expect: 100-continue", body=b"", answers="413"
    ),
    "pipelined bad bodies": Attack(json(b"[]").data * 50, "400"),
    "a request after `Connection: close`": Attack(
        json(b"[]").data.replace(b"Host:", b"Connection: close\r\nHost:") + json(b"{}").data, "400"
    ),
}
HEADS = {
    "a request line of 1 MB": Attack(b"GET /" + MEGABYTE, "414"),
    "a target of 10,000 letters": get(b"/" + b"a" * 10_000, answers="414"),
    "a header of 1 MB": Attack(HEAD + b"X: " + MEGABYTE, "431"),
    "200,000 headers": Attack(HEAD + b"X: y\r\n" * 200_000, "431"),
    "a header's value of 30,000 bytes": head(b"Cookie: " + b"a=b; " * 6_000, answers="431"),
    "7,000 headers with the same name": head(
        *[b"A:"] * 7_000, b"Content-Length: 2", body=b"[]", answers="431"
    ),
    "120 headers": head(*[b"aaa:bb"] * 120, answers="431"),
    "a header's name of 1 MB": Attack(HEAD + MEGABYTE, "431"),
    "no Host": Attack(b"GET /healthz HTTP/1.1\r\n\r\n", "400"),
    "a Host of 8,000 letters": Attack(
        b"GET /healthz HTTP/1.1\r\nHost: " + b"a" * 8_000 + b"\r\n\r\n", "400"
    ),
    "a Host of 8,000 bytes that are not ASCII": Attack(
        b"GET /healthz HTTP/1.1\r\nHost: " + b"\xfc" * 8_000 + b"\r\n\r\n", "400"
    ),
    "two Hosts": Attack(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
    "a bare line feed": Attack(b"GET /healthz HTTP/1.1\nHost: a\n\n", "400"),
    "a bare carriage return": Attack(b"GET /healthz HTTP/1.1\rHost: a\r\n\r\n", "400"),
    "a NUL in a header": head(b"X: a\0b"),
    "a space in a header's name": head(b"X Y: z"),
    "a header without a name": head(b": z"),
    "a header without a colon": head(b"X"),
    "HTTP/0.9": Attack(b"GET /charge\r\n\r\n", "505"),
    "HTTP/9.9": Attack(b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", "400"),
    "HTTP/2 without an upgrade": Attack(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", "400 505"
    ),
    "a request to upgrade to HTTP/2": get(
        b"/nowhere", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", answers="404"
    ),
    "TLS": Attack(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2, "400"),
    "another protocol": Attack(b"SSH-2.0-OpenSSH_9.6\r\n", "400"),
    "RTSP": Attack(b"DESCRIBE /charge RTSP/1.0\r\nHost: a\r\n\r\n", "400"),
    "RTSP with an HTTP method": Attack(b"OPTIONS /healthz RTSP/1.0\r\nHost: a\r\n\r\n", "400"),
    "1 MB of random bytes": Attack(random.Random(1).randbytes(1_000_000), "400"),
    "1 MB of NUL": Attack(bytes(1_000_000), "400"),
    "CONNECT": Attack(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", "400 421"),
    "TRACE": Attack(b"TRACE /charge HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "405"),
    "a method in lower case": Attack(b"post /charge HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    "an unknown method": Attack(b"CHARGE /charge HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    "a target that is not a path": Attack(b"POST charge HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
    "a target outside the root": get(b"/../../../../etc/passwd", answers="404"),
    "a target outside the root, encoded": get(
        b"/control-room/..%2f..%2f..%2fsettings.py", answers="404"
    ),
    "a target with NUL and line ends": get(b"/%00%0d%0aX-Evil:%20" + MARK.encode(), answers="404"),
    "a target of 8-bit bytes": get(b"/\xc0\xaf\xff", answers="400 404"),
    "an Accept with an invalid version": get(
        b"/metrics?", b"Accept: application/openmetrics-text;version=x", answers="200"
    ),
    "an X-Request-ID with quotes and escapes": get(
        b"/nowhere", b'X-Request-ID: \x1b[31m","event":"' + MARK.encode(), answers="400 404"
    ),
}
BODIES = {
    "JSON nested 30,000 deep": json(b'{"kwh":' * 9_000),
    "lists nested 60,000 deep": json(b"[" * 60_000),
    "a number of 60,000 digits": json(b'{"kwh": ' + b"9" * 60_000 + b"}"),
    "1e400": json(b'{"kwh": 1e400}'),
    "an exponent of 20 digits": json(b'{"kwh": 1e' + b"9" * 20 + b"}"),
    "1e-400": json(b'{"kwh": 1e-400}'),
    "NaN": json(b'{"kwh": NaN}'),
    "Infinity": json(b'{"kwh": Infinity}'),
    "-Infinity": json(b'{"kwh": -Infinity}'),
    "a duplicate key, the second one invalid": json(b'{"kwh": 1, "kwh": -1}'),
    "7,000 unknown fields": json(b"{" + b",".join(b'"%d":0' % n for n in range(7_000)) + b"}"),
    "a lone surrogate": json(b'{"vehicle_id": "\\ud800"}'),
    "a NUL in a string": json(b'{"vehicle_id": "EV\\u0000"}'),
    "line ends and a forged log line in a string": json(
        b'{"vehicle_id": "EV\\r\\n{\\"event\\":\\"' + MARK.encode() + b'\\"}"}'
    ),
    "terminal escapes in a string": json(
        b'{"vehicle_id": "\\u001b]0;' + MARK.encode() + b'\\u0007"}'
    ),
    "a right-to-left override": json('{"vehicle_id": "EV\u202e1"}'.encode()),
    "a byte order mark": json(b"\xef\xbb\xbf[]"),
    "UTF-16": json('{"kwh": 5}'.encode("utf-16")),
    "an overlong encoding of /": json(b'{"vehicle_id": "\xc0\xaf"}'),
    "an incomplete UTF-8 character": json(b'{"vehicle_id": "\xe2\x82"}'),
    "a string of 60,000 letters": json(b'{"vehicle_id": "' + b"x" * 60_000 + b'"}'),
    "a compression bomb": head(
        b"Content-Encoding: gzip",
        b"Content-Length: %d" % len(gzip.compress(bytes(50_000_000))),
        body=gzip.compress(bytes(50_000_000)),
    ),
    "a form": Attack(
        HEAD
        + b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10\r\n\r\n"
        + b"--x\r\n\r\n--x",
        "415",
    ),
    "another charset": Attack(
        HEAD + b"Content-Type: application/json; charset=utf-7\r\nContent-Length: 2\r\n\r\n[]",
        "400",
    ),
}
EVERYWHERE = {**FRAMING, **HEADS, **BODIES}


# What substations have no use for.
PREFERENCES = {
    "Prefer: wait and 8,000 spaces": head(
        b"Prefer: wait=" + b" " * 8_000 + b"x", b"Content-Length: 2", body=b"[]"
    ),
    "Prefer: wait=-1": head(b"Prefer: wait=-1", b"Content-Length: 2"),
    "Prefer: wait=1e9": head(b"Prefer: wait=1e9", b"Content-Length: 2"),
}


def rush(body: bytes, answers: str = "400") -> Attack:
    data = json(body, answers).data.replace(b"POST /charge", b"POST /rush-hour")
    return Attack(data, answers)


GATEWAY = {
    "rush hour of 10^9 vehicles": rush(b'{"vehicles": 1000000000}'),
    "rush hour of 0 vehicles": rush(b'{"vehicles": 0}'),
    "rush hour of 2.5 vehicles": rush(b'{"vehicles": 2.5}'),
    "rush hour of 10^5 digits": rush(b'{"vehicles": ' + b"9" * 60_000 + b"}"),
    "rush hour over 1e400 s": rush(b'{"vehicles": 1, "over_s": 1e400}'),
    "rush hour of NaN kWh": rush(b'{"vehicles": 1, "kwh": NaN}'),
    "rush hour nested 60,000 deep": rush(b"[" * 60_000),
    "rush hour with 7,000 unknown fields": rush(
        b"{" + b",".join(b'"%d":0' % n for n in range(7_000)) + b"}"
    ),
    "rush hour without a body": rush(b""),
    "rush hour from another site's page": Attack(
        rush(b'{"vehicles": 5}').data.replace(b"Host:", b"Sec-Fetch-Site: cross-site\r\nHost:", 1),
        "403",
    ),
    "a foreign host name that resolves to this address": Attack(
        b"GET /substations HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"
    ),
    "an If-None-Match of 8,000 bytes": get(b"/", b"If-None-Match: " + b'"' * 8_000, answers="200"),
    "a Range beyond the end": get(b"/", b"Range: bytes=99999999-", answers="200"),
}
VIEWS = (
    {
        f"decisions since {shown}": get(b"/decisions?since=" + value, answers="400")
        for shown, value in {
            "-1": b"-1",
            "1e9": b"1e9",
            "10^20": b"1%020d" % 0,
            "non-ASCII digits": b"%D9%A3",
            "an empty value": b"",
            "8,000 digits": b"9" * 8_000,
            "a line end": b"1%0d%0aX-Evil:%20" + MARK.encode(),
        }.items()
    }
    | {
        f"decisions limit {value}": get(b"/decisions?limit=" + value.encode(), answers="400")
        for value in ("0", "101", "-1", "ten")
    }
    | {
        "history since 8,000 digits": get(b"/history?since=" + b"9" * 8_000, answers="200"),
        "a POST to history": Attack(
            b"POST /history HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", "405"
        ),
    }
)
