"""What a request costs a gateway before it knows whether it lets the caller in: CPU, not time.

The gateway asks for keys, and none is sent.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from local_stack.grid import Ports
from local_stack.process import Process, service
from tests.e2e.hostile import attacks
from tests.e2e.hostile.table import Table
from tests.support.memory import family

MAX_MS = 1.5
AT_A_TIME, TIMES = 20, 5
LONG = 8_000  # more is refused
_GET = b"GET /decisions HTTP/1.1\r\n"
_HOST = b"Host: 127.0.0.1\r\n"


def header(name: bytes, value: bytes, begin: bytes = b"") -> bytes:
    return _GET + _HOST + name + b": " + begin + (value * LONG)[:LONG] + b"\r\n\r\n"


def target(value: bytes) -> bytes:
    return b"GET /" + (value * LONG)[:LONG] + b" HTTP/1.1\r\n" + _HOST + b"\r\n"


def body(value: bytes) -> bytes:
    return attacks.json((value * 65_000)[:65_000]).data


def chunked(data: bytes) -> bytes:
    return attacks.CHUNKED + data + b"0\r\n\r\n"


def host(value: bytes, most: int = 255) -> bytes:
    return _GET + b"Host: " + (value * most)[:most] + b"\r\n\r\n"


REQUESTS = {
    "an ordinary request": _GET + _HOST + b"\r\n",
    "a Host of 255 letters": host(b"a"),
    "a Host of 127 labels": host(b"a."),
    "a Host full of xn--": host(b"xn--a."),
    "a Host of 8,000 bytes that are not ASCII": host(b"\xfc", most=8_000),
    "a path of letters": target(b"a"),
    "a path of %41": target(b"%41"),
    "a path of %FF": target(b"%FF"),
    "a path of /": target(b"/a"),
    "a path of ../": target(b"../"),
    "a path of .": target(b"."),
    "a path of 8-bit letters": target(b"\xfc"),
    "a path of 8-bit letters, encoded": target(b"%C3%BC"),
    "a query of parameters": target(b"a=b&").replace(b"/a=", b"/decisions?a=", 1),
    "a query of &": target(b"&").replace(b"/&", b"/decisions?&", 1),
    "a query of %41": target(b"%41").replace(b"/%", b"/decisions?%", 1),
    "an absolute target": target(b"a")
    .replace(b" /", b" http://")
    .replace(b" HTTP", b"/decisions HTTP"),
    "97 headers": _GET + _HOST + b"".join(b"h%02d: a\r\n" % n for n in range(97)) + b"\r\n",
    "97 Cookies": _GET + _HOST + (b"Cookie: " + b"a=b;" * 75 + b"\r\n") * 97 + b"\r\n",
    "Cookie": header(b"Cookie", b"a=b;"),
    "Accept": header(b"Accept", b"a/b;q=0.1,"),
    "Accept-Encoding": header(b"Accept-Encoding", b"a,"),
    "Authorization, one long word": header(b"Authorization", b"a"),
    "Authorization, Bearer and a long key": header(b"Authorization", b"a", b"Bearer "),
    "Authorization, Bearer and spaces": header(b"Authorization", b" a", b"Bearer "),
    "Authorization, Basic": header(b"Authorization", b"YTph", b"Basic "),
    "X-API-Key": header(b"X-API-Key", b"a"),
    "X-Request-ID": header(b"X-Request-ID", b"a"),
    "X-Forwarded-For": header(b"X-Forwarded-For", b"10.0.0.1, "),
    "X-Forwarded-Host": header(b"X-Forwarded-Host", b"a.example, "),
    "Forwarded": header(b"Forwarded", b'for="[::1]";'),
    "Origin": header(b"Origin", b"http://a.example "),
    "Sec-Fetch-Site": header(b"Sec-Fetch-Site", b"a"),
    "Referer": header(b"Referer", b"http://a/"),
    "Prefer": header(b"Prefer", b"wait=1;a,"),
    "Upgrade": header(b"Upgrade", b"h2c, "),
    "If-None-Match": header(b"If-None-Match", b'"a",'),
    "If-Modified-Since": header(b"If-Modified-Since", b"1 "),
    "Range": header(b"Range", b"0-1,", b"bytes="),
    "Content-Type with parameters": header(b"Content-Type", b"a=b;", b"application/json;"),
    "Content-Type with quotes": header(b"Content-Type", b'a="\\"";', b"application/json;"),
    "a body of 65,000 bytes": body(b" "),
    "a body in 990 chunks": chunked(b"1\r\n \r\n" * 990),
    "chunks of one byte": chunked(b"1\r\n \r\n" * 10_000),
    "a chunk full of line ends": chunked(b"c000\r\n" + b"\r\n" * 24_576 + b"\r\n"),
    "JSON of 7,000 fields": attacks.BODIES["7,000 unknown fields"].data,
    "JSON nested 60,000 deep": body(b"["),
    "JSON of one number": body(b"9"),
    "not a request": b"nothing\r\n\r\n",
    "a request line of 9,000 bytes": _GET.replace(b"/", b"/" + b"a" * 9_000, 1) + _HOST,
    "120 headers": attacks.HEADS["120 headers"].data,
    "a header of 30,000 bytes": _GET + _HOST + b"X: " + b"a" * 30_000 + b"\r\n\r\n",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("gateway")
    keys = folder / "keys"
    keys.write_text(f"alice:{'0' * 64}\n")
    process = service(
        "gateway",
        "charge_request_service",
        env={"CHARGE_API_KEYS_FILE": str(keys)},
        port=Ports.free(0).gateway,
        log=folder / "log",
    )
    process.start()
    try:
        process.wait_until(lambda: process.answers("/healthz"), 20)
        yield process
    finally:
        process.kill()


def cpu_ms(process: Process) -> float:
    """Time that the worker has run, ms."""
    worker = family(process.pid)[-1]
    return int(Path(f"/proc/{worker}/schedstat").read_text().split()[0]) / 1e6


class Caller:
    """Sends a request, and waits for its answer; on one connection for as long as that stands."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: socket.socket | None = None

    def ask(self, request: bytes) -> int:
        if self._line is None:
            self._line = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        answer = b""
        with suppress(ConnectionError):  # disconnected in the middle; what was said is still read
            self._line.sendall(request)
        while not (found := re.search(rb"Content-Length: (\d+)(?s:.*?)\r\n\r\n", answer)):
            data = self._line.recv(65_536)
            assert data, answer
            answer += data
        while len(answer) < found.end() + int(found[1]):
            answer += self._line.recv(65_536)
        if b"\r\nConnection: close\r\n" in answer:
            self.close()
        return int(answer[9:12])

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


@pytest.mark.parametrize("name", REQUESTS)
def test_no_request_costs_much_before_its_caller_is_let_in(
    gateway: Process, table: Table, name: str
) -> None:
    costs = []
    with closing(Caller(gateway.port)) as caller:
        statuses = {caller.ask(REQUESTS[name])}
        for _ in range(TIMES):
            before = cpu_ms(gateway)
            statuses |= {caller.ask(REQUESTS[name]) for _ in range(AT_A_TIME)}
            costs.append((cpu_ms(gateway) - before) / AT_A_TIME)

    assert len(statuses) == 1
    [status] = statuses
    assert status in {400, 401, 414, 431}
    assert min(costs) < MAX_MS
    table.cost(name, status, min(costs))
