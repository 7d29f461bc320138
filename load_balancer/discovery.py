"""Discovery: the addresses behind the names in SUBSTATIONS, looked up again and again."""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

import gevent

from grid_common.logs import Log
from load_balancer.settings import SiteUrl

Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Look a host's addresses up: IPv4 where it has any, else IPv6; sorted."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family in (socket.AF_INET, socket.AF_INET6):
        addresses = {str(address[0]) for kind, *_, address in found if kind == family}
        if addresses:
            return sorted(addresses)
    return []


class Directory:
    """Remembers the last good answer for each name, and the name that each address was given."""

    def __init__(self, entries: Iterable[SiteUrl]) -> None:
        self._entries = list(entries)
        self._answers: dict[SiteUrl, list[str]] = {entry: [] for entry in self._entries}
        self._names: dict[tuple[SiteUrl, str], str] = {}

    def update(self, answers: Mapping[SiteUrl, Sequence[str]]) -> list[tuple[str, str]]:
        """Take in what the look-ups found and list every site as (name, `http://address:port`).

        An empty answer, or none, keeps the last good one. An address keeps its name for as long as
        it is there: the entry's own for one that is alone, `name@address` for one among several.
        """
        for entry, addresses in answers.items():
            if addresses:
                self._answers[entry] = list(addresses)
        sites = []
        for entry in self._entries:
            addresses = self._answers[entry]
            for known in [key for key in self._names if key[0] == entry]:
                if known[1] not in addresses:
                    del self._names[known]
            for address in addresses:
                alone = len(addresses) == 1
                name = self._names.setdefault(
                    (entry, address), entry.name if alone else f"{entry.name}@{address}"
                )
                host = f"[{address}]" if ":" in address else address
                sites.append((name, f"http://{host}:{entry.port}"))
        return sites


def look_up_all(
    entries: Iterable[SiteUrl], log: Log, resolve: Resolve = resolve
) -> dict[SiteUrl, Sequence[str]]:
    """Look all names up at once; one that cannot be found is logged and left out."""

    def look_up(entry: SiteUrl) -> Sequence[str]:
        try:
            return resolve(entry.host, entry.port)
        except OSError as error:
            log.warning("name not found", host=entry.host, error=str(error))
            return []

    jobs = {entry: gevent.spawn(look_up, entry) for entry in entries}
    gevent.joinall(list(jobs.values()))
    return {entry: job.value or [] for entry, job in jobs.items()}
