"""Connections that nobody uses any more."""

import socket
from concurrent.futures import ThreadPoolExecutor

import gevent
import pytest

from grid_common import upstream
from grid_common.upstream import Upstream

IDLE_S = 0.3


def test_a_connection_is_closed_once_it_is_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_LONGEST_IDLE_S", IDLE_S)

    def serve(door: socket.socket) -> bytes:
        line, _ = door.accept()
        with line:
            line.settimeout(5)
            line.recv(4096)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return line.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        client = Upstream(url, connect_timeout_s=1, connections=1)
        hung_up = pool.submit(serve, door)
        assert client.request("GET", "/").status == 200

        gevent.sleep(IDLE_S / 2)
        assert not hung_up.done()
        gevent.sleep(IDLE_S)

        assert hung_up.result(1) == b""
