"""Run the whole grid on this machine, without Docker: `python -m local_stack`."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local_stack.grid import Grid
from local_stack.options import Options, parse_options
from local_stack.process import StartError, StartInterrupted
from local_stack.supervisor import Supervisor

# How often to check for signals and for ended processes, seconds.
_CHECK_INTERVAL_S = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the grid, print its addresses, and stop it cleanly on Ctrl-C, SIGTERM or SIGHUP."""
    options = parse_options(arguments)
    grid = Grid(
        options.folder,
        points=options.points,
        ports=options.ports,
        gateway_env={"LEDGER_URL": options.ledger_url} if options.ledger_url else {},
        gateway_host=options.gateway_host,
        balancer_count=options.balancers,
        gateway_count=options.gateways,
        with_prometheus=options.prometheus,
    )
    # A plain list: a signal handler may interrupt anything, so it must not take a lock as
    # threading.Event does.
    reported: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup the grid continues when its terminal is closed.
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):
            signal.signal(number, lambda number, _frame: reported.append(number))
    try:
        return _run(grid, options, reported)
    except StartError as error:
        print(f"local_stack: {error}", file=sys.stderr)
        return 1
    finally:
        grid.kill()  # whatever happened


def _run(grid: Grid, options: Options, reported: Sequence[int]) -> int:
    """Run the grid until it is told to stop; some processes may still be running then."""
    _say("Starting the grid ...")
    try:
        grid.start(hurry=lambda: bool(reported))
    except StartInterrupted:
        _say("\nStopped before it was ready.")
        return 0
    _say(_welcome(grid, options))
    for line in _misspelt(grid):
        _say(f"\nNote: {line}")
    supervisor = Supervisor(
        grid.processes, say=_say, clock=time.monotonic, restarts=options.restart
    )
    while not reported:
        time.sleep(_CHECK_INTERVAL_S)
        supervisor.look()
    before = len(reported)
    _say("\nStopping: charging vehicles are finished first (Ctrl-C again to stop at once).")
    try:
        grid.stop(hurry=lambda: signal.SIGINT in reported[before:])
    except subprocess.TimeoutExpired as error:
        _say(f"A process did not end within {error.timeout:g} s: all have been killed.")
        return 1
    _say("Stopped.")
    return 0


def _say(text: str) -> None:
    """Print a line; continue without output if the terminal or the reader is gone."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _welcome(grid: Grid, options: Options) -> str:
    substations = ", ".join(
        f"{substation.name} ({points} points)"
        for substation, points in zip(grid.substations, grid.points, strict=True)
    )
    prometheus = "not started"
    if grid.prometheus:
        prometheus = grid.prometheus.url
    elif options.prometheus:
        prometheus = "not installed, so not started (the program `prometheus` was not found)"
    # curl uses the environment's proxy even for this machine.
    proxies = urllib.request.getproxies_environment().keys() - {"no"}
    direct = " --noproxy '*'" if proxies else ""
    keys = os.environ.get("CHARGE_API_KEYS_FILE")
    authorization = " -H 'Authorization: Bearer KEY'" if keys else ""
    key_file = " --api-key-file FILE" if keys else ""
    return f"""
The grid is up: {substations}

  control room {grid.url}/
  gateway      {", ".join(gateway.url for gateway in grid.gateways)}
  substations  {grid.url}/substations
  decisions    {grid.url}/decisions
  API          {grid.url}/openapi.json
  Prometheus   {prometheus}
  logs         {grid.folder}

Charge a vehicle:

  curl{direct} -X POST {grid.url}/charge -H 'Content-Type: application/json' \\
    -d '{{"vehicle_id": "EV-0031", "kwh": 6}}'{authorization}

Charge 100 vehicles, and print a report:

  {_python()} -m load_tester --url {grid.url}{key_file}

Ctrl-C stops it."""


def _misspelt(grid: Grid) -> list[str]:
    """Return the misspelt settings that the services logged, each once."""
    reported = []
    for process in grid.services:
        with suppress(OSError):  # the log was removed
            for line in process.log_lines():
                if '"event":"setting not known"' in line:
                    said = json.loads(line)
                    reported.append(
                        f"{said['name']} is not a setting; did you mean {said['did_you_mean']}?"
                    )
    return list(dict.fromkeys(reported))


def _python() -> str:
    """Return the path of this Python as one would type it here."""
    python = Path(sys.executable)
    return str(python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python)


if __name__ == "__main__":
    sys.exit(main())
