"""The vehicles' HTTP client.

A vehicle's request is written by hand, and the response parsed by the standard library. That takes
half the CPU time of urllib3, on which requests is built. With thousands of vehicles from one
process next to the grid, the grid would miss that share.

The sockets are gevent's once the program has patched them (see __main__), otherwise blocking ones.
"""

import errno
import http.client
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult

from load_tester.response import HttpResponse

_MAX_RESPONSE_BYTES = 1 << 20
_RESOLVE_AGAIN_S = 5.0
_CONNECT_TIMEOUT_S = 10.0
_OWN_LIMITS = {
    errno.EMFILE: "the tester is out of file descriptors; raise `ulimit -n`",
    errno.EADDRNOTAVAIL: "the tester's machine is out of ports towards the gateway",
}


class FailureKind(StrEnum):
    """Why a request got no response."""

    REFUSED = "connection refused"
    UNREACHABLE = "cannot be reached"
    RESET = "connection broken before the response"
    TIMEOUT = "no response in time"
    PROTOCOL_ERROR = "the response is not HTTP"
    UNTRUSTED = "the certificate is not trusted"
    NO_TLS = "it does not use TLS"


class NoResponse(Exception):
    """A request that got no response."""

    def __init__(self, kind: FailureKind, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind.value)
        self.kind = kind

    @property
    def sent(self) -> bool:
        """Whether the request may have reached the grid."""
        return self.kind not in _NOT_SENT

    @property
    def passing(self) -> bool:
        """Whether a retry may help: the gateway was down, or went down."""
        return self.kind in (FailureKind.REFUSED, FailureKind.UNREACHABLE, FailureKind.RESET)


# OpenSSL's reasons for bytes that are not TLS, for example from an HTTP server on that port.
_OTHER_PROTOCOL = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
_NOT_SENT = frozenset(
    {FailureKind.REFUSED, FailureKind.UNREACHABLE, FailureKind.UNTRUSTED, FailureKind.NO_TLS}
)
_Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class Addresses:
    """The gateway's addresses, used in turn, so that several behind one name share the vehicles."""

    def __init__(self, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._expires = -1.0
        self._found: list[_Address] = []
        self._turn = itertools.count()

    @property
    def several(self) -> bool:
        """Whether a family has more than one address; localhost has one in each."""
        families = [family for family, _ in self._found]
        return len(families) > len(set(families))

    def in_turn(self) -> list[_Address]:
        """Return all addresses, starting with a different one each time.

        Raises:
            NoResponse: the name does not resolve, and never did.
        """
        if self._clock() >= self._expires:
            if self._found:
                # One vehicle looks the name up while the others use the last result.
                self._expires = self._clock() + _RESOLVE_AGAIN_S
            try:
                found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
                self._found = list(dict.fromkeys((entry[0], entry[4]) for entry in found))
                self._expires = self._clock() + _RESOLVE_AGAIN_S
            except (OSError, UnicodeError) as error:
                if not self._found:
                    detail = f"the name {self._host} was not found ({error})"
                    raise NoResponse(FailureKind.UNREACHABLE, detail) from None
        turn = next(self._turn) % len(self._found)
        return self._found[turn:] + self._found[:turn]


class Caller:
    """One client of the gateway. `keep_alive` keeps its connection between vehicles."""

    def __init__(self, gateway: "Gateway", *, keep_alive: bool) -> None:
        self._gateway = gateway
        self._keep_alive = keep_alive
        self._connection: socket.socket | None = None

    def charge(self, body: bytes, key: str | None = None) -> HttpResponse:
        """Send one `POST /charge`, with a key if there is one, and wait for the response.

        Raises:
            NoResponse: none came.
        """
        connection = self._connection or self._gateway.connect()
        self._connection = None
        last = True
        try:
            with _failures():
                # One piece, so that head and body share a packet.
                connection.sendall(self._gateway.head(len(body), key, self._keep_alive) + body)
                response, ended = _read_response(connection)
            last = ended or not self._keep_alive
        finally:
            if last:
                # also if the vehicle is cut short, so that the grid sees it disconnect
                connection.close()
            else:
                self._connection = connection
        return response

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read_response(connection: socket.socket) -> tuple[HttpResponse, bool]:
    """Read a response; return it, and whether the connection ends with it."""
    response = http.client.HTTPResponse(connection, method="POST")
    try:
        response.begin()
        content = response.read(_MAX_RESPONSE_BYTES)
        if len(content) == _MAX_RESPONSE_BYTES:
            raise http.client.HTTPException("too long")
        if response.length:  # shorter than declared
            raise http.client.IncompleteRead(content, response.length)
        headers = {name.lower(): value for name, value in response.getheaders()}
        last = response.will_close or not response.isclosed()
        return HttpResponse(response.status, headers, content), last
    finally:
        response.close()


class Gateway:
    """Connects to the gateway's addresses."""

    def __init__(
        self,
        url: SplitResult,
        *,
        timeout: float,
        wait: float | None = None,
        respond_async: bool = False,
        api_key: str | None = None,
    ) -> None:
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._host = url.hostname or ""
        self._timeout = timeout
        port = url.port or (443 if self._tls else 80)
        self.addresses = Addresses(self._host, port)
        head = (
            f"POST {url.path.rstrip('/')}/charge HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\n"
            "User-Agent: load_tester\r\n"
            "Content-Type: application/json\r\n"
        )
        preferences = ["respond-async"] if respond_async else []
        if wait is not None:
            preferences.append(f"wait={_plain(wait)}")
        if preferences:
            head += f"Prefer: {', '.join(preferences)}\r\n"
        if api_key is not None:
            head += f"Authorization: Bearer {api_key}\r\n"
        self._head = head.encode("latin-1")

    def head(self, length: int, key: str | None, keep_alive: bool) -> bytes:
        """Return a request's head for a body of `length` bytes."""
        more = b"" if key is None else b'Idempotency-Key: "%b"\r\n' % key.encode()
        if not keep_alive:
            more += b"Connection: close\r\n"
        return b"%b%bContent-Length: %d\r\n\r\n" % (self._head, more, length)

    def connect(self) -> socket.socket:
        """Open a connection.

        Raises:
            NoResponse: it was not accepted.
        """
        fault: NoResponse | None = None
        for family, address in self.addresses.in_turn():
            try:
                return self._connect(family, address)
            except NoResponse as error:
                fault = error
        raise fault or NoResponse(FailureKind.UNREACHABLE)

    def _connect(self, family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
        with _failures():  # also for the socket itself: there may be no descriptor left
            connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            with _failures():
                connection.settimeout(_CONNECT_TIMEOUT_S)
                try:
                    connection.connect(address)
                except TimeoutError:  # a stopped container refuses nothing
                    raise NoResponse(FailureKind.UNREACHABLE, "no connection in time") from None
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_hostname=self._host)
                connection.settimeout(self._timeout)
        except BaseException:
            connection.close()
            raise
        return connection


def _plain(seconds: float) -> str:
    """Format a number without an exponent."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".")


@contextmanager
def _failures() -> Iterator[None]:
    """Turn the many kinds of failures into NoResponse."""
    try:
        yield
    except ConnectionRefusedError:
        raise NoResponse(FailureKind.REFUSED) from None
    except ssl.SSLCertVerificationError as error:
        raise NoResponse(FailureKind.UNTRUSTED, error.verify_message) from None
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise NoResponse(FailureKind.RESET) from None
    except ssl.SSLError as error:
        if error.reason in _OTHER_PROTOCOL:
            raise NoResponse(FailureKind.NO_TLS) from None
        reason = (error.reason or "failed").replace("_", " ").lower()
        raise NoResponse(FailureKind.UNREACHABLE, f"TLS: {reason}") from None
    except (ConnectionError, http.client.IncompleteRead):  # includes RemoteDisconnected
        raise NoResponse(FailureKind.RESET) from None
    except TimeoutError:
        raise NoResponse(FailureKind.TIMEOUT) from None
    except (http.client.HTTPException, ValueError) as error:
        raise NoResponse(FailureKind.PROTOCOL_ERROR, str(error) or type(error).__name__) from None
    except OSError as error:
        reason = _OWN_LIMITS.get(error.errno or 0) or error.strerror or type(error).__name__
        raise NoResponse(FailureKind.UNREACHABLE, reason) from None
