"""`python -m local_stack` as tests start it: what it says, and what it leaves running."""

import contextlib
import dataclasses
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from local_stack.grid import Ports
from local_stack.process import LOOPBACK, ROOT
from tests.deadline import eventually

UP = "Ctrl-C stops it."
_UP_WITHIN_S = 30.0
_PORTS = (20_000, 32_000)  # under those that the kernel gives out


class Program:
    """The program, its output in a file, and the ports that it was given."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        points: str = "2",
        prometheus: bool = False,
        env: Mapping[str, str] | None = None,
        before: str = "",
        **popen: Any,
    ) -> None:
        """Start it; `before` is what the shell does first, `popen` more arguments of Popen."""
        self.folder = folder
        self.ports = free_ports(len(points.split(",")))
        folder.mkdir(parents=True, exist_ok=True)
        self._said = folder / "said"
        command = [sys.executable, "-m", "local_stack", "--folder", str(folder / "grid")]
        env = env or {}
        if "GATEWAY_PORT" in env:
            self.ports = dataclasses.replace(self.ports, gateway=int(env["GATEWAY_PORT"]))
        else:
            command += ["--gateway-port", str(self.ports.gateway)]
        command += ["--balancer-port", str(self.ports.balancer)]
        command += ["--substation-port", str(self.ports.substations[0])]
        command += ["--prometheus-port", str(self.ports.prometheus), "--points", points, *options]
        if not prometheus:
            command.append("--no-prometheus")
        with self._said.open("w") as said:
            self.popen = subprocess.Popen(
                ["/bin/sh", "-c", f'{before}\nexec "$@"', "sh", *command],
                cwd=ROOT,
                env={**os.environ, "TIME_SCALE": "720", **env},
                stdin=subprocess.DEVNULL,
                **{"stdout": said, "stderr": subprocess.STDOUT, **popen},
            )

    def said(self) -> str:
        return self._said.read_text()

    def says(self, pattern: str, within_s: float = 10.0) -> "re.Match[str]":
        """Wait until it has said something; return the match."""

        def found() -> "re.Match[str]":
            match = re.search(pattern, self.said())
            assert match, f"{pattern!r} is not in: {self.said()}"
            return match

        return eventually(found, within_s)

    def is_up(self) -> "Program":
        self.says(re.escape(UP), _UP_WITHIN_S)
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.gateway}"

    def ends(self, number: signal.Signals | None = None, within_s: float = 20) -> int:
        """Send it a signal, or none, and return its exit status."""
        if number is not None:
            self.popen.send_signal(number)
        return self.popen.wait(within_s)

    def listeners(self, port: int) -> set[int]:
        """Return the processes that listen on a port."""
        return {pid for pid, link in listening() if link.laddr.port == port}

    def kill_listeners(self, port: int) -> None:
        """SIGKILL every process that listens on a port, as a person with `lsof` would."""
        listeners = self.listeners(port)
        assert listeners
        for pid in listeners:
            os.kill(pid, signal.SIGKILL)

    def every_listener(self) -> set[int]:
        ports = (self.ports.gateway, self.ports.balancer, *self.ports.substations)
        return {pid for port in ports for pid in self.listeners(port)}

    def leaves_nothing(self) -> None:
        def nothing() -> None:
            for port in (self.ports.gateway, self.ports.balancer, *self.ports.substations):
                socket.create_server((LOOPBACK, port)).close()  # fails where somebody listens

        eventually(nothing, 5)

    def close(self) -> None:
        """End it and all that it started, whatever state it is in."""
        self.popen.kill()
        self.popen.wait(10)


def free_ports(substations: int) -> Ports:
    """Pick a row of ports that nobody uses, and that the kernel gives to no connection."""
    count = substations + 3
    while True:
        first = random.randrange(*_PORTS)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server((LOOPBACK, port)))
            return Ports(first, first + 1, range(first + 3, first + count), first + 2)


def listening() -> "list[tuple[int, Any]]":
    """List the TCP sockets that are listened on, each with every process that holds it."""
    held = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has just ended
            links = process.net_connections("tcp")
            held += [(process.pid, link) for link in links if link.status == psutil.CONN_LISTEN]
    return held
