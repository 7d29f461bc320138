"""Discovery: the addresses behind the names in SUBSTATIONS, looked up again and again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import gevent

from grid_common.http_url import HttpUrl
from load_balancer.substation_entries import SiteUrl


class Answer(NamedTuple):
    """What a look-up found: addresses, or why there are none."""

    addresses: Sequence[str] = ()
    fault: str | None = None


class Known(NamedTuple):
    """A substation that is known of; one with a `fault` cannot be reached, for it says why."""

    name: str
    address: str  # `http://address:port`; with a fault, what stands in SUBSTATIONS
    entry: SiteUrl
    fault: str | None = None


class Directory:
    """Remembers the last good answer for each name, and the name that each address was given."""

    def __init__(self, entries: Iterable[SiteUrl]) -> None:
        self._answers = {entry: Answer(fault="not looked up yet") for entry in entries}
        self._names: dict[tuple[SiteUrl, str], str] = {}
        self._called: Mapping[str, str] = {}

    def call(self, names: Mapping[str, str]) -> None:
        """Call substations as a balancer does that was there before, by their addresses.

        So each has one name at all balancers, though they saw it come at different times.
        """
        self._called = names

    def addresses(self, entry: SiteUrl) -> Sequence[str]:
        """List the addresses that a name last led to."""
        return self._answers[entry].addresses

    def set_entries(self, entries: Iterable[SiteUrl]) -> None:
        """Take other entries in; what is known of those that stay is kept."""
        self._answers = {
            entry: self._answers.get(entry, Answer(fault="not looked up yet")) for entry in entries
        }
        self._names = {key: name for key, name in self._names.items() if key[0] in self._answers}

    def update(self, answers: Mapping[SiteUrl, Answer]) -> list[Known]:
        """Take in what the look-ups found and list every substation.

        A failed or empty look-up keeps the last good answer; an entry that never had one is listed
        as it stands, with the fault. An address keeps its name for as long as it is there: the
        entry's own for one that is alone, `name@address` for one among several. It belongs to the
        first entry that leads to it, and is a fault of the others.
        """
        taken: dict[str, str] = {}
        known: list[Known] = []
        for entry, before in self._answers.items():
            answer = answers.get(entry, before)
            if answer.addresses or not before.addresses:
                self._answers[entry] = answer
            known += self._list(entry, taken)
        return known

    def _list(self, entry: SiteUrl, taken: dict[str, str]) -> list[Known]:
        addresses, fault = self._answers[entry]
        for key in [key for key in self._names if key[0] == entry and key[1] not in addresses]:
            del self._names[key]
        if not addresses:
            return [Known(entry.name, str(HttpUrl(entry.host, entry.port)), entry, fault)]
        known = []
        for address in addresses:
            alone = len(addresses) == 1
            name = self._names.setdefault(
                (entry, address), entry.name if alone else f"{entry.name}@{address}"
            )
            url = str(HttpUrl(address, entry.port))
            called = self._called.get(url, name)
            if called != name and called in (entry.name, f"{entry.name}@{address}"):
                self._names[entry, address] = name = called
            other = taken.setdefault(url, name)
            if other == name:
                known.append(Known(name, url, entry))
            else:
                fault = f"leads to {url}, which is {other} already: leave one of them out"
                known.append(Known(name, f"{name}={url}", entry, fault))
        return known


def look_up_all(
    entries: Iterable[SiteUrl], find: Callable[[SiteUrl], Sequence[str]]
) -> dict[SiteUrl, Answer]:
    """Look all names up at once."""

    def look_up(entry: SiteUrl) -> Answer:
        try:
            addresses = find(entry)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Answer(fault=f"the name {entry.host} cannot be found ({why})")
        return Answer(addresses, None if addresses else f"the name {entry.host} has no address")

    jobs = {entry: gevent.spawn(look_up, entry) for entry in entries}
    gevent.joinall(list(jobs.values()))
    return {entry: job.value or Answer(fault="its look-up failed") for entry, job in jobs.items()}
