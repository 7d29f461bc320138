"""`python -m local_stack` as tests start it: what it says, and what it leaves running."""

import contextlib
import dataclasses
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_stack.grid import Ports
from local_stack.process import LOOPBACK, ROOT
from tests.support.deadline import PATIENCE_S, eventually
from tests.support.marked import carrying, marking, none_is_left

UP = "Ctrl-C stops it."
_LISTENS = "0A"  # in the kernel's table of sockets
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
        self._mark = secrets.token_hex(8)
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
                env={**os.environ, "TIME_SCALE": "720", **env, **marking(self._mark)},
                stdin=subprocess.DEVNULL,
                **{"stdout": said, "stderr": subprocess.STDOUT, **popen},
            )

    def said(self) -> str:
        return self._said.read_text()

    def says(self, pattern: str, within_s: float = PATIENCE_S) -> "re.Match[str]":
        """Wait until it has said something; return the match."""

        def found() -> "re.Match[str]":
            match = re.search(pattern, self.said())
            assert match, f"{pattern!r} is not in: {self.said()}"
            return match

        return eventually(found, within_s)

    def is_up(self) -> "Program":
        self.says(re.escape(UP))
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.gateway}"

    def ends(self, number: signal.Signals | None = None, within_s: float = PATIENCE_S) -> int:
        """Send it a signal, or none, and return its exit status."""
        if number is not None:
            self.popen.send_signal(number)
        return self.popen.wait(within_s)

    def listeners(self, port: int) -> set[int]:
        """Return the processes that listen on a port."""
        return holders(port)

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
        """Wait until no process is left of all that it started.

        That is not seen by its ports: another test's grid may have taken one meanwhile.
        """
        none_is_left(self._mark)

    def processes(self) -> list[int]:
        """Return what runs of all that it started, and itself."""
        return carrying(self._mark)

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


def holders(port: int) -> set[int]:
    """List the processes that hold a socket on which somebody listens at a port (Linux).

    The kernel's table of sockets is read once: with what a busy machine has in it, once for each
    process takes minutes.
    """
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    sockets = {
        f"socket:[{row[9]}]"
        for row in rows
        if row[3] == _LISTENS and row[1].endswith(f":{port:04X}")
    }
    found = set()
    for files in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):  # it has just ended
            if sockets & {_target(file) for file in files.iterdir()}:
                found.add(int(files.parent.name))
    return found


def _target(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:  # it has just been closed
        return ""
