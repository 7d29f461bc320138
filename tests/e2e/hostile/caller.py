"""A caller that sends arbitrary bytes and records the responses."""

import re
import socket
import time
from contextlib import suppress
from typing import NamedTuple

_STATUS = re.compile(rb"(?:^|\r\n\r\n|\})HTTP/1\.1 ([2-9]\d\d) ")


class Reported(NamedTuple):
    """What came back.

    Attributes:
        raw: every byte of it.
        closed: whether the connection ended.
        took_s: time to the end, or to the last byte where it did not end.
    """

    raw: bytes
    closed: bool
    took_s: float

    @property
    def answers(self) -> str:
        """The statuses of the answers, in order; "" for none."""
        return " ".join(code.decode() for code in _STATUS.findall(self.raw))


def tell(port: int, data: bytes, within_s: float = 5, quiet_s: float = 0.1) -> Reported:
    """Send bytes and listen until the connection ends, or is quiet after an answer."""
    began = last = time.monotonic()
    raw = b""
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as line:
        with suppress(ConnectionError):  # disconnected in the middle; what was said is still read
            line.sendall(data)
        while (now := time.monotonic()) < began + within_s:
            line.settimeout(quiet_s if raw else began + within_s - now)
            try:
                piece = line.recv(1_000_000)
            except TimeoutError:
                break
            except ConnectionError:
                piece = b""
            last = time.monotonic()
            if not piece:
                return Reported(raw, True, last - began)
            raw += piece
    return Reported(raw, False, last - began)
