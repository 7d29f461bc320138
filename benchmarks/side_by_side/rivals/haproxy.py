"""HAProxy with leastconn."""

import os
from pathlib import Path

from benchmarks.side_by_side.rivals.rival import (
    Place,
    PlacedSite,
    Rival,
    answer_limit_s,
    fill_in,
    find,
    first_line,
)
from local_stack.process import Process

_TEMPLATE = Path(__file__).with_name("haproxy.cfg")


_MOST_WEIGHT = 256


class HAProxy(Rival):
    """`balance leastconn`, with a limit and a queue for each site's points."""

    key = "haproxy"
    name = "HAProxy leastconn"

    def missing(self) -> str | None:
        """Look for the program."""
        return None if find("haproxy") else "haproxy is not installed (apt-get install haproxy)"

    def version(self) -> str:
        """Ask the program."""
        words = first_line([find("haproxy") or "haproxy", "-v"]).split()
        return f"HAProxy {words[2]}" if len(words) > 2 else "HAProxy"

    def process(self, place: Place) -> Process:
        """Write its configuration and prepare its process."""
        file = fill_in(
            _TEMPLATE,
            place.folder / "haproxy.cfg",
            {
                "port": place.port,
                "count": len(place.sites),
                "answer_ms": round(answer_limit_s(place) * 1000),
                "retries": 1000,
                "servers": "\n".join(
                    f"    server {site.name} {site.address} maxconn {site.capacity} "
                    f"weight {_weight(site, place)}"
                    for site in place.sites
                ),
            },
        )
        return Process(
            self.key,
            [find("haproxy") or "haproxy", "-db", "-f", str(file)],
            env=os.environ,
            port=place.port,
            log=place.folder / "haproxy.log",
        )


def _weight(site: PlacedSite, place: Place) -> int:
    """Return a site's share of the vehicles by its capacity, within what HAProxy takes."""
    largest = max(one.capacity for one in place.sites)
    return max(1, site.capacity * min(largest, _MOST_WEIGHT) // largest)
