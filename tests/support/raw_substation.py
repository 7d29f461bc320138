"""A substation that responds with arbitrary bytes, on real sockets."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

GAUGES = b"substation_current_load 0\nsubstation_capacity 4\n"
CHARGED = b'{"status": "charged"}'
MOMENT_S = 0.1


class Bytes(NamedTuple):
    """A response, byte by byte.

    Attributes:
        first: sent once.
        forever: then sent repeatedly while the other side accepts it.
        later: sent after a pause.
        disconnect: whether the connection is then closed; otherwise it stays open.
        later_s: length of that pause, seconds.
        forever_every_s: pause between repetitions, seconds.
    """

    first: bytes
    forever: bytes = b""
    later: bytes = b""
    disconnect: bool = False
    later_s: float = MOMENT_S
    forever_every_s: float = 0


def http(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Bytes:
    """Return a valid response, or one with headers that make it invalid."""
    lines = headers or (b"Content-Length: %d" % len(body),)
    return Bytes(b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", body)))


class RawSubstation:
    """Responds by path; the last response in a path's list is repeated."""

    def __init__(self, answers: Mapping[str, Sequence[Bytes]]) -> None:
        self.asked: list[str] = []
        self.charges: list[bytes] = []  # the bodies sent to /charge
        self._answers = {path: list(answers) for path, answers in answers.items()}
        self._door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._open = True

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until `close`, each in its own thread."""
        while self._open:
            try:
                line, _ = self._door.accept()
            except OSError:
                return
            self._lines.append(line)
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def close(self) -> None:
        """Close all connections."""
        self._open = False
        for one in (self._door, *self._lines):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _talk(self, line: socket.socket) -> None:
        with suppress(OSError), line, line.makefile("rb") as requests:
            while first := requests.readline():
                length = 0
                while (header := requests.readline()) not in (b"\r\n", b""):
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                body, path = requests.read(length), first.split()[1].decode()
                if path == "/charge":
                    self.charges.append(body)
                answer = self._next(path)
                line.sendall(answer.first)
                while answer.forever:
                    line.sendall(answer.forever)
                    time.sleep(answer.forever_every_s)
                if answer.later:
                    time.sleep(answer.later_s)
                    line.sendall(answer.later)
                if answer.disconnect:
                    return

    def _next(self, path: str) -> Bytes:
        with self._lock:
            if path not in self._answers:  # for example for registers: it has none
                return http(b"", status=b"404 Not Found")
            self.asked.append(path)
            answers = self._answers[path]
            return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def raw_substation(
    *charge: Bytes,
    metrics: Sequence[Bytes] = (http(GAUGES),),
    health: Sequence[Bytes] = (http(b"alive"),),
    progress: Sequence[Bytes] = (),
) -> Iterator[RawSubstation]:
    """Run a substation with these responses to charges, page requests and health checks.

    If responses for it are given, it also reports the progress of its sessions.
    """
    answers = {"/charge": charge or (http(CHARGED),), "/metrics": metrics, "/healthz": health}
    substation = RawSubstation(answers | ({"/progress": progress} if progress else {}))
    threading.Thread(target=substation.serve, daemon=True).start()
    try:
        yield substation
    finally:
        substation.close()
