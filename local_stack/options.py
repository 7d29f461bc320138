"""The options of `python -m local_stack`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from local_stack.grid import DEFAULT_POINTS, Ports
from local_stack.process import LOOPBACK, ROOT

_LAST_PORT = 65_535
_MAX_OF_A_KIND = 16
# The environment variables of the Compose file, by option.
_VARIABLES = {"gateway_port": "GATEWAY_PORT", "prometheus_port": "PROMETHEUS_PORT"}


class Options(argparse.Namespace):
    """The parsed options."""

    points: Sequence[int]  # number of charging points of each substation
    gateway_host: str  # address that the gateway listens on
    gateway_port: int
    balancer_port: int
    substation_port: int  # of the first substation; the others follow
    prometheus_port: int
    gateways: int  # number of gateways
    balancers: int  # number of balancers
    ledger_url: str | None  # where the gateways keep their sessions; None: in the folder
    prometheus: bool  # whether to start Prometheus if it is installed
    restart: bool  # whether to restart processes that end
    folder: Path  # directory of logs and Prometheus' data

    @property
    def ports(self) -> Ports:
        """The ports of all parts."""
        substations = range(self.substation_port, self.substation_port + len(self.points))
        return Ports(self.gateway_port, self.balancer_port, substations, self.prometheus_port)


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; the environment provides the defaults."""
    parser = _parser()
    found = parser.parse_args(arguments, Options())
    for option, variable in _VARIABLES.items():
        if getattr(found, option) is None:
            default = getattr(Ports, option.removesuffix("_port"))
            try:
                # Set but empty counts as not set, as in the Compose file.
                setattr(found, option, _port(os.environ.get(variable) or str(default)))
            except argparse.ArgumentTypeError as error:
                parser.error(f"{variable}: {error}")
    count = len(found.points)
    if found.substation_port + count - 1 > _LAST_PORT:
        parser.error(
            f"--substation-port: {count} substations from {found.substation_port} on exceed port "
            f"{_LAST_PORT}"
        )
    found.gateway_host = host = found.gateway_host.strip("[]")
    found.ledger_url = os.environ.get("LEDGER_URL") or None
    if found.gateways > 1 and not (found.ledger_url or "").startswith("postgres"):
        parser.error(
            "--gateways: several gateways share their sessions in PostgreSQL; set "
            "LEDGER_URL=postgresql://USER@HOST/DATABASE, or leave the option out"
        )
    if found.gateways > 1 and not host.startswith("127."):
        parser.error(
            f"--gateways: several listen on {LOOPBACK}, 127.0.0.2 and so on, not on {host}; leave "
            "--gateway-host and GATEWAY_HOST out, and put a proxy in front"
        )
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_stack",
        description="Run the whole grid as processes on this machine: substations, balancer, "
        "gateway and, if it is installed, Prometheus. Processes that end are restarted. Settings "
        "in the environment apply to every service, such as TIME_SCALE=60 or "
        "ROUTING_POLICY=random; GATEWAY_HOST, GATEWAY_PORT and PROMETHEUS_PORT are the same as for "
        "the Compose file.",
    )
    parser.add_argument(
        "--points",
        type=_points,
        default=DEFAULT_POINTS,
        metavar="N,N,...",
        help="charging points of each substation (default: 4,8,12)",
    )
    parser.add_argument(
        "--gateway-host",
        default=os.environ.get("GATEWAY_HOST") or LOOPBACK,
        metavar="ADDRESS",
        help=f"address that the gateway listens on (default: GATEWAY_HOST, or {LOOPBACK}); beyond "
        "this machine it requires API keys (CHARGE_API_KEYS_FILE)",
    )
    for name, default, what in (
        ("gateway", Ports.gateway, "the gateway"),
        ("balancer", Ports.balancer, "the balancer"),
        ("substation", 5002, "the first substation; the others follow"),
        ("prometheus", Ports.prometheus, "Prometheus"),
    ):
        variable = _VARIABLES.get(f"{name}_port")
        parser.add_argument(
            f"--{name}-port",
            type=_port,
            default=None if variable else default,
            metavar="PORT",
            help=f"port of {what} (default: {f'{variable}, or ' if variable else ''}{default})",
        )
    for name, more in (
        ("gateway", "; they share their sessions in PostgreSQL (LEDGER_URL)"),
        ("balancer", ""),
    ):
        parser.add_argument(
            f"--{name}s",
            type=_count,
            default=1,
            metavar="N",
            help=f"number of {name}s; the second one listens on 127.0.0.2 and so on, which needs "
            f"no set-up on Linux{more} (default: 1)",
        )
    for name, what in (
        ("prometheus", "start Prometheus"),
        ("restart", "restart processes that end"),
    ):
        parser.add_argument(f"--no-{name}", dest=name, action="store_false", help=f"do not {what}")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".local_stack",
        help="directory of logs and Prometheus' data (default: .local_stack)",
    )
    return parser


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: it takes a port from 1 to {_LAST_PORT}")
    return port


def _count(text: str) -> int:
    if text.isdecimal() and len(text) < 3 and 1 <= int(text) <= _MAX_OF_A_KIND:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: it takes a number from 1 to {_MAX_OF_A_KIND}")


def _points(text: str) -> tuple[int, ...]:
    try:
        points = tuple(int(part) for part in text.split(","))
    except ValueError:
        points = ()
    if not points or min(points) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: it takes numbers over 0, such as 4,8,12")
    return points
