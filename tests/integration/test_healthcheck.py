"""The containers' health check, against real servers."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        well = self.path == "/readyz"
        body = b"ready" if well else b"the service drains"
        self.send_response(200 if well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing: the answers are the test."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # -S: no installed library, which proves that it needs none.
    program = "import sys; sys.path.append('.'); from grid_common import healthcheck as h; "
    return subprocess.run(
        [sys.executable, "-S", "-c", program + "sys.exit(h.main(sys.argv[1:]))", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env=environment,
    )


def test_a_healthy_service_passes_without_output(service: str) -> None:
    done = check(f"{service}/readyz")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_service_that_is_not_ready_fails_with_its_reason(service: str) -> None:
    done = check(f"{service}/elsewhere")
    assert done.returncode == 1
    assert done.stdout == f"{service}/elsewhere answered 503: the service drains\n"


def test_a_proxy_in_the_environment_is_not_asked(service: str) -> None:
    assert check(f"{service}/readyz", http_proxy="http://127.0.0.1:1").returncode == 0


def test_a_service_that_does_not_listen_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    done = check(f"http://127.0.0.1:{port}/readyz")
    assert (done.returncode, "refused" in done.stdout) == (1, True)


def test_a_service_that_hangs_fails_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        done = check(f"http://127.0.0.1:{hanging.getsockname()[1]}/readyz")
    assert (done.returncode, "timed out" in done.stdout) == (1, True)


@pytest.mark.parametrize("arguments", [(), ("substation1",), ("http://a", "http://b")])
def test_a_wrong_call_says_how_it_is_called(arguments: tuple[str, ...]) -> None:
    done = check(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr or "give one like" in done.stderr
