"""A program that attacks a port for some seconds: `python -m tests.e2e.hostile.attacker`.

A process of its own, so that it takes nothing from the honest vehicles that the tests send beside.
Prints, as JSON, how often it got which status, and how many of its connections were ended.
"""

import json
import re
import resource
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple

from tests.e2e.hostile import attacks

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
_STATUS = re.compile(rb"HTTP/1\.1 ([2-9]\d\d) ")
_MAX_STATUS_LENGTH = len(b"HTTP/1.1 200")
_MEGABYTE = 1_000_000
# Between two connections, seconds. More at once than are accepted would be another attack: a flood,
# which is for a firewall.
_PAUSE_S = 0.002


class Kind(NamedTuple):
    """What is sent.

    Attributes:
        data: on each connection, again and again; or once.
        connections: how many at once; each is opened anew when it ends.
        again: send as fast as it is taken, and take what is answered.
    """

    data: bytes
    connections: int
    again: bool


def _lines(count: int) -> bytes:
    return b"".join(b"a%03d:b\r\n" % number for number in range(count))


_BIG = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 8_000) for number in range(3))
KINDS = {
    "pipelined requests without a pause": Kind((GET + b"\r\n") * 500, 4, again=True),
    "pipelined bodies in chunks of one byte": Kind(
        attacks.CHUNKED.replace(b"/charge", b"/healthz") + b"1\r\n \r\n" * 900 + b"0\r\n\r\n",
        4,
        again=True,
    ),
    "the most expensive path, query and headers": Kind(
        b"GET /%s?%s HTTP/1.1\r\nHost: %s\r\n" % (b"%41" * 1_300, b"a=b&" * 1_000, b"127.0.0.1")
        + attacks.JSON
        + _lines(96)
        + b"\r\n",
        8,
        again=True,
    ),
    "`aaa:bb` headers, never completed": Kind(GET + _lines(4_000), 2_500, again=False),
    "99 headers, never completed": Kind(GET + _lines(98), 2_500, again=False),
    "headers of 32 KB, never completed": Kind(GET + _lines(90) + _BIG, 2_500, again=False),
    "bodies of 60 KB, never completed": Kind(
        attacks.HEAD + attacks.JSON + b"Content-Length: 65000\r\n\r\n" + b" " * 60_000,
        2_500,
        again=False,
    ),
}


@contextmanager
def attack(name: str, port: int) -> Iterator[Counter[str]]:
    """Attack a port for as long as the block runs; what came of it is known after."""
    command = [sys.executable, "-m", "tests.e2e.hostile.attacker", name, str(port)]
    seen: Counter[str] = Counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin
        assert program.stdout
        yield seen
        program.stdin.close()
        seen.update(json.loads(program.stdout.read()))
    assert program.returncode == 0


class _Line:
    """One connection of the attack."""

    def __init__(self, port: int, kind: Kind) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setblocking(False)
        self._kind = kind
        self._left = memoryview(kind.data)
        self._tail = b""

    @property
    def events(self) -> int:
        return select.POLLIN | (select.POLLOUT if self._left else 0)

    def go_on(self, event: int, seen: Counter[str]) -> bool:
        """Send, or take answers; tell whether the connection goes on."""
        try:
            if event & select.POLLOUT:
                self._send()
            return not event & ~select.POLLOUT or self._take(seen)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _send(self) -> None:
        self._left = self._left[self.sock.send(self._left) :]
        if self._kind.again and not self._left:
            self._left = memoryview(self._kind.data)

    def _take(self, seen: Counter[str]) -> bool:
        data = self.sock.recv(_MEGABYTE)
        found = _STATUS.findall(self._tail + data)
        seen.update(code.decode() for code in found)
        self._tail = (b"" if found else self._tail + data)[-_MAX_STATUS_LENGTH:]
        return bool(data)


class _Attack:
    """All connections of an attack, opened one after the other, and anew where one ended."""

    def __init__(self, port: int, kind: Kind) -> None:
        self.seen: Counter[str] = Counter()
        self._port, self._kind = port, kind
        self._lines: dict[int, _Line] = {}
        self._poll = select.poll()

    def run(self, until: IO[str]) -> None:
        """Attack until the file has something to read, or ends."""
        self._poll.register(until, select.POLLIN | select.POLLHUP)
        ends, due = until.fileno(), time.monotonic()
        while True:
            lacks = len(self._lines) < self._kind.connections
            if lacks and time.monotonic() >= due:
                self._open()
                due += _PAUSE_S
            for number, event in self._poll.poll(1 if lacks else None):
                if number == ends:
                    return
                self._serve(number, event)

    def _open(self) -> None:
        with suppress(OSError):
            line = _Line(self._port, self._kind)
            self._lines[line.sock.fileno()] = line
            self._poll.register(line.sock, line.events)

    def _serve(self, number: int, event: int) -> None:
        line = self._lines[number]
        if line.go_on(event, self.seen):
            self._poll.modify(number, line.events)
            return
        self._poll.unregister(number)
        del self._lines[number]
        line.sock.close()
        self.seen["ended"] += 1


def main() -> None:
    """Attack until standard input ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_000), hard))
    attack = _Attack(int(sys.argv[2]), KINDS[sys.argv[1]])
    attack.run(sys.stdin)
    sys.stdout.write(json.dumps(attack.seen))


if __name__ == "__main__":
    main()
