"""The grid: substations, balancer, gateway and, if it is installed, Prometheus."""

import contextlib
import errno
import fcntl
import itertools
import json
import random
import socket
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

from local_stack.folder import Folder, unusable
from local_stack.process import LOOPBACK, Hurry, Process, StartError, never, service
from local_stack.prometheus import Prometheus, find_program

DEFAULT_POINTS = (4, 8, 12)
_START_TIMEOUT_S = 30.0
# Maximum page length of the gateway's sessions.
_PAGE = 100


@dataclass(frozen=True)
class Ports:
    """The ports of all parts."""

    gateway: int = 8080
    balancer: int = 5001
    substations: Sequence[int] = (5002, 5003, 5004)
    prometheus: int = 9090

    @classmethod
    def free(cls, substations: int) -> "Ports":
        """Return unused ports."""
        ports = _free_ports(substations + 3)
        return cls(ports[0], ports[1], ports[3:], ports[2])


@dataclass
class Grid:
    """The processes of a grid. As a context manager it starts and stops them."""

    folder: Path  # directory of logs, the substations' journals and Prometheus' data
    points: Sequence[int] = DEFAULT_POINTS  # number of charging points of each substation
    ports: Ports = field(default_factory=Ports)
    # Settings for all parts, in addition to this process' environment, and for some only.
    env: Mapping[str, str] = field(default_factory=dict)
    balancer_env: Mapping[str, str] = field(default_factory=dict)
    substation_env: Mapping[str, str] = field(default_factory=dict)
    gateway_env: Mapping[str, str] = field(default_factory=dict)
    gateway_host: str = LOOPBACK  # address that the gateway listens on; all others: loopback
    balancer_count: int = 1  # the second listens on 127.0.0.2, and so on
    gateway_count: int = 1  # likewise; several need a PostgreSQL `LEDGER_URL`
    with_prometheus: bool = False  # whether to start Prometheus if it is installed

    def __post_init__(self) -> None:
        self._folder = Folder(self.folder)
        self.substations = [
            self._service(
                f"substation{number}",
                "substation_service",
                port,
                {
                    "JOURNAL": str(self.folder.absolute() / f"substation{number}.journal"),
                    **self.substation_env,
                    "SUBSTATION_NAME": f"substation{number}",
                    "CHARGING_POINTS": str(points),
                },
            )
            for number, (points, port) in enumerate(
                zip(self.points, self.ports.substations, strict=True), start=1
            )
        ]
        urls = ",".join(f"{substation.name}={substation.url}" for substation in self.substations)
        self.balancers = [
            self._service(
                _numbered("load_balancer", number),
                "load_balancer",
                self.ports.balancer,
                {"SUBSTATIONS": urls, "PEERS": self._peers, **self.balancer_env},
                _beside(LOOPBACK, number),
            )
            for number in range(self.balancer_count)
        ]
        self.gateways = [
            self._service(
                _numbered("charge_request_service", number),
                "charge_request_service",
                self.ports.gateway,
                {
                    "BALANCER_URL": ",".join(one.url for one in self.balancers),
                    "LEDGER_URL": f"sqlite:///{self.folder.absolute() / 'ledger.sqlite'}",
                    **self.gateway_env,
                },
                _beside(self.gateway_host, number),
            )
            for number in range(self.gateway_count)
        ]
        self.balancer, self.gateway = self.balancers[0], self.gateways[0]
        self.prometheus = self._prometheus() if self.with_prometheus else None

    @property
    def _peers(self) -> str:
        """Return the URLs of all balancers, if there are several."""
        hosts = [_beside(LOOPBACK, number) for number in range(self.balancer_count)]
        return ",".join(f"http://{host}:{self.ports.balancer}" for host in hosts[1:] and hosts)

    @property
    def url(self) -> str:
        """URL of the gateway."""
        return self.gateway.url

    @property
    def services(self) -> list[Process]:
        """The grid's own processes, starting with the substations."""
        return [*self.substations, *self.balancers, *self.gateways]

    @property
    def processes(self) -> list[Process]:
        """All processes, in the order of their start."""
        return [*self.services, *([self.prometheus] if self.prometheus else [])]

    def __enter__(self) -> "Grid":
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, hurry: Hurry = never) -> None:
        """Start everything and wait until vehicles can be charged.

        Raises:
            StartError: the directory cannot be used, a port is in use, or a part did not start.
            StartInterrupted: `hurry` returned True.
        """
        self._folder.acquire()
        for process in self.processes:
            _check_free(process)
        if self.prometheus:
            try:
                self.prometheus.configure()
            except OSError as error:
                raise unusable(self.folder, error) from None
        for process in self.processes:
            process.start()
        self.wait_ready(hurry=hurry)

    def wait_ready(self, timeout_s: float = _START_TIMEOUT_S, hurry: Hurry = never) -> None:
        """Wait until every part is ready and the balancer sees every substation up."""
        for process in self.services:
            process.wait_until(process.missing, timeout_s, hurry)
        for balancer in self.balancers:
            balancer.wait_until(partial(self._missing_substation, balancer), timeout_s, hurry)
        if self.prometheus:
            self.prometheus.wait_until(self.prometheus.missing, timeout_s, hurry)

    def stop(self, hurry: Hurry = never) -> None:
        """Stop everything gracefully, the vehicles' side first; at once if `hurry` returns True."""
        for process in reversed(self.processes):
            if process.running:
                process.thaw()
                process.stop(hurry=hurry)

    def kill(self) -> None:
        """Kill everything at once."""
        for process in self.processes:
            process.kill()
        self._folder.release()

    def get(self, path: str, *, of: Process | None = None) -> Any:
        """Return one of the JSON views of the gateway, or of another part."""
        return json.loads((of or self.gateway).get(path, timeout_s=5))

    def sessions(self, part: Process) -> Iterator[dict[str, Any]]:
        """Yield all sessions that the gateway, or a substation, knows, page by page."""
        after = ""
        while True:
            page = self.get(f"/sessions?limit={_PAGE}{after}", of=part)
            yield from page["sessions"]
            if not page["next"]:
                return
            after = f"&cursor={page['next']}"

    def _missing_substation(self, balancer: Process) -> str | None:
        # Asked at the balancer itself: the gateway may require an API key.
        try:
            grid = self.get("/substations", of=balancer)
        except OSError as error:
            return f"GET /substations of {balancer.name}: {error}"
        substations = {substation["name"]: substation for substation in grid["substations"]}
        for process in self.substations:
            health = substations.get(process.name, {}).get("health", "not found")
            if health != "up":
                return f"{process.name} is {health}"
        return None

    def _service(
        self, name: str, module: str, port: int, env: Mapping[str, str], host: str = LOOPBACK
    ) -> Process:
        log = self.folder / f"{name}.log"
        return service(name, module, env={**self.env, **env}, port=port, log=log, host=host)

    def _prometheus(self) -> Prometheus | None:
        program = find_program()
        if program is None:
            return None
        targets = {
            "charge_request_service:8080": _addresses(self.gateways),
            "load_balancer:5001": _addresses(self.balancers),
        }
        return Prometheus(program, self.folder, self.ports.prometheus, targets)


def _numbered(name: str, number: int) -> str:
    """Return the name of one of several processes of a kind."""
    return name if number == 0 else f"{name}{number + 1}"


def _addresses(processes: Sequence[Process]) -> list[str]:
    return [process.url.removeprefix("http://") for process in processes]


def _beside(host: str, number: int) -> str:
    """Return the address of one of several: number 1 after 127.0.0.1 is 127.0.0.2."""
    return host if number == 0 else str(ip_address(host) + number)


def _check_free(process: Process) -> None:
    family = socket.AF_INET6 if ":" in process.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((process.host, process.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StartError(
                    f"port {process.port} for {process.name} is taken: stop the process that "
                    "uses it, or choose other ports (`make run ARGS=--help`)"
                ) from None
            raise StartError(
                f"{process.name} cannot listen on {process.host}, port {process.port}: "
                f"{error.strerror}"
            ) from None


# Below the range from which the kernel takes ports for outgoing connections: one of those might be
# in use just when the service starts.
_PORTS = range(20_000, 32_000)
# Each process starts at a random port, so that several rarely pick the same one at once.
_next_port = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


# So many of its last ports each process keeps from all others.
_RESERVED = 500
_reserved: deque[int] = deque()


@cache
def _reservations() -> IO[bytes]:
    """Open the file in which the byte of each port is locked by the process that picked it."""
    return Path(tempfile.gettempdir(), "ev-grid-ports").open("ab")


def _reserve(port: int) -> None:
    """Keep a port from other processes until a service listens there.

    Raises:
        OSError: another process has it.
    """
    fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    _reserved.append(port)
    if len(_reserved) > _RESERVED:
        fcntl.lockf(_reservations(), fcntl.LOCK_UN, 1, _reserved.popleft())


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for number in itertools.islice(_next_port, len(_PORTS)):
        port = _PORTS[number % len(_PORTS)]
        with socket.socket() as one, contextlib.suppress(OSError):
            _reserve(port)
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise StartError(f"none of the ports {_PORTS.start} to {_PORTS.stop - 1} is free")
