"""Run the whole grid on this machine, without Docker: `python -m local_stack`."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local_stack.grid import DEFAULT_POINTS, Grid, Ports
from local_stack.process import ROOT, StartError

# How often to look for a signal, and for a part that has ended, seconds.
_LOOK_EVERY_S = 0.2
_LAST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the grid, tell where it is, and stop it cleanly on Ctrl-C or SIGTERM."""
    options = _options(arguments)
    points = options.points
    try:
        grid = Grid(
            options.folder,
            points=points,
            ports=Ports(
                options.gateway_port,
                options.balancer_port,
                range(options.substation_port, options.substation_port + len(points)),
                options.prometheus_port,
            ),
            with_prometheus=not options.no_prometheus,
        )
    except StartError as error:
        print(f"local_stack: {error}", file=sys.stderr)
        return 1
    try:
        return _run(grid, wanted_prometheus=not options.no_prometheus)
    finally:
        # Whatever happened: each part has a session of its own, so none ends with this process.
        # One more Ctrl-C, from an impatient finger, would break this off.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        grid.kill()


def _run(grid: Grid, *, wanted_prometheus: bool) -> int:
    """Run the grid until it is told to stop; it may not all have ended then."""
    # A plain list: a handler runs in the middle of anything, so it must not take a lock, as
    # threading.Event does.
    told: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: told.append(number))
    print("Starting the grid ...", flush=True)
    try:
        grid.start()
    except StartError as error:
        print(f"local_stack: {error}", file=sys.stderr)
        return 1
    print(_welcome(grid, wanted_prometheus=wanted_prometheus), flush=True)
    while not told:
        time.sleep(_LOOK_EVERY_S)
        for process in grid.processes:
            if not process.running:
                print(f"{process.name} ended; its log ends with:\n{process.log_tail()}")
                return 1
    print("\nStopping: vehicles that charge are finished first (Ctrl-C again to stop at once).")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        grid.stop()
    except KeyboardInterrupt:
        pass  # at once, then
    except subprocess.TimeoutExpired as error:
        print(f"A part did not end within {error.timeout:g} s: all are ended now.")
        return 1
    print("Stopped.")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_stack",
        description="The whole grid as processes on loopback: substations, balancer, gateway and, "
        "where it is installed, Prometheus. Settings in the environment reach every service, such "
        "as TIME_SCALE=60 or ROUTING_POLICY=random.",
    )
    parser.add_argument(
        "--points",
        type=_points,
        default=DEFAULT_POINTS,
        metavar="N,N,...",
        help="charging points of each substation (default: 4,8,12)",
    )
    for name, default, what in (
        ("gateway", 8080, "the gateway"),
        ("balancer", 5001, "the balancer"),
        ("substation", 5002, "the first substation; the others follow"),
        ("prometheus", 9090, "Prometheus"),
    ):
        parser.add_argument(
            f"--{name}-port",
            type=_port,
            default=default,
            metavar="PORT",
            help=f"port of {what} (default: {default})",
        )
    parser.add_argument("--no-prometheus", action="store_true", help="leave Prometheus out")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".local_stack",
        help="folder for logs and Prometheus' data (default: .local_stack)",
    )
    options = parser.parse_args(arguments)
    if options.substation_port + len(options.points) - 1 > _LAST_PORT:
        parser.error(
            f"--substation-port: {len(options.points)} substations from {options.substation_port} "
            f"on go past port {_LAST_PORT}"
        )
    return options


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: it takes a port from 1 to {_LAST_PORT}")
    return port


def _points(text: str) -> tuple[int, ...]:
    try:
        points = tuple(int(part) for part in text.split(","))
    except ValueError:
        points = ()
    if not points or min(points) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: it takes numbers over 0, such as 4,8,12")
    return points


def _welcome(grid: Grid, *, wanted_prometheus: bool) -> str:
    sites = ", ".join(
        f"{site.name} ({points} points)"
        for site, points in zip(grid.substations, grid.points, strict=True)
    )
    prometheus = "left out"
    if grid.prometheus:
        prometheus = grid.prometheus.url
    elif wanted_prometheus:
        prometheus = "not installed, so left out (it is the program `prometheus`)"
    return f"""
The grid is up: {sites}

  control room {grid.url}/
  gateway      {grid.url}
  substations  {grid.url}/substations
  decisions    {grid.url}/decisions
  API          {grid.url}/openapi.json
  Prometheus   {prometheus}
  logs         {grid.folder}

Charge a vehicle:

  curl -X POST {grid.url}/charge -H 'Content-Type: application/json' \\
    -d '{{"vehicle_id": "EV-0031", "kwh": 6}}'

Ctrl-C stops it."""


if __name__ == "__main__":
    sys.exit(main())
