"""nginx, the open-source edition, with least_conn."""

import os
from pathlib import Path

from benchmarks.comparison.contenders.contender import (
    Contender,
    Place,
    answer_limit_s,
    fill_in,
    find,
    first_line,
)
from local_stack.process import Process

_TEMPLATE = Path(__file__).with_name("nginx.conf")


class Nginx(Contender):
    """`least_conn`, with a limit for each substation's points.

    Only the commercial edition has a queue.
    """

    key = "nginx"
    name = "nginx least_conn"

    def missing(self) -> str | None:
        """Look for the program."""
        return None if find("nginx") else "nginx is not installed (apt-get install nginx)"

    def version(self) -> str:
        """Ask the program."""
        return first_line([find("nginx") or "nginx", "-v"]).rpartition(" ")[2].replace("/", " ")

    def process(self, place: Place) -> Process:
        """Write its configuration and create its process."""
        file = fill_in(
            _TEMPLATE,
            place.folder / "nginx.conf",
            {
                "port": place.port,
                "folder": place.folder,
                "answer_ms": round(answer_limit_s(place) * 1000),
                "servers": "\n".join(
                    f"        server {substation.address} max_conns={substation.capacity} "
                    f"weight={substation.capacity} max_fails=0;"
                    for substation in place.substations
                ),
            },
        )
        return Process(
            self.key,
            [find("nginx") or "nginx", "-e", "stderr", "-p", str(place.folder), "-c", str(file)],
            env=os.environ,
            port=place.port,
            log=place.folder / "nginx.log",
        )
