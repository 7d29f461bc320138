"""A vehicle's requests, and the messages about a gateway that does not respond."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from load_tester.client import Caller, FailureKind, Gateway, NoResponse

Serve = Callable[[socket.socket], None]


@pytest.fixture
def listen() -> Iterator[Callable[[Serve], int]]:
    """Serve one connection after another; return the port."""
    servers: list[socket.socket] = []

    def start(serve: Serve) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    serve(client)

        threading.Thread(target=accept, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("wait", "sent"),
    [
        (1.2345, "1.2345"),
        (1e6, "1000000"),
        (1234567.0, "1234567"),
        (123456.789, "123456.789"),
        (0.0, "0"),
        (0.001, "0.001"),
        (30.0, "30"),
    ],
)
def test_a_wait_is_sent_as_it_was_given(wait: float, sent: str) -> None:
    head = Gateway(urlsplit("http://127.0.0.1:9"), timeout=1, wait=wait).head(0, None, False)
    assert f"\r\nPrefer: wait={sent}\r\n".encode() in head


def test_a_key_and_both_preferences_are_sent() -> None:
    gateway = Gateway(urlsplit("http://127.0.0.1:9"), timeout=1, wait=3, respond_async=True)
    head = gateway.head(0, "lt-1", True)
    assert b"\r\nPrefer: respond-async, wait=3\r\n" in head
    assert b'\r\nIdempotency-Key: "lt-1"\r\n' in head


def unanswered(url: str) -> NoResponse:
    with pytest.raises(NoResponse) as raised:
        Caller(Gateway(urlsplit(url), timeout=5), keep_alive=False).charge(b"{}")
    return raised.value


def test_a_certificate_that_is_not_trusted_is_called_that(
    listen: Callable[[Serve], int], tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-out", str(certificate)]
    subprocess.run([*command, "-keyout", str(key)], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def shake_hands(client: socket.socket) -> None:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(client, server_side=True)

    error = unanswered(f"https://localhost:{listen(shake_hands)}")

    assert error.kind is FailureKind.UNTRUSTED
    assert str(error) == "the certificate is not trusted: self-signed certificate"
    assert not error.sent
    assert not error.passing


def test_a_port_that_speaks_no_tls_is_called_that(listen: Callable[[Serve], int]) -> None:
    def speak_http(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = unanswered(f"https://127.0.0.1:{listen(speak_http)}")

    assert (error.kind, error.sent) == (FailureKind.NO_TLS, False)


def test_a_connection_that_breaks_off_under_tls_is_broken_off(
    listen: Callable[[Serve], int],
) -> None:
    error = unanswered(f"https://127.0.0.1:{listen(lambda _: None)}")

    assert error.kind is FailureKind.RESET
