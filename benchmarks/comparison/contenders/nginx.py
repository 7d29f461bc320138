"""nginx, the open-source edition, with least_conn."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.comparison.contenders.contender import Place, Program


class Nginx(Program):
    """`least_conn`, with a limit for each substation's points.

    Only the commercial edition has a queue.
    """

    key = program = title = "nginx"
    name = "nginx least_conn"
    template = "nginx.conf"

    def values(self, place: Place) -> Mapping[str, object]:
        """Return what to fill into the template."""
        return {
            "port": place.port,
            "folder": place.folder,
            "answer_ms": round(place.answer_limit_s * 1000),
            "servers": "\n".join(
                f"        server {substation.address} max_conns={substation.capacity} "
                f"weight={substation.capacity} max_fails=0;"
                for substation in place.substations
            ),
        }

    def options(self, file: Path) -> Sequence[str]:
        """Return the command's options."""
        return ("-e", "stderr", "-p", str(file.parent), "-c", str(file))
