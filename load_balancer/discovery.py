"""Discovery: the addresses behind the names in SUBSTATIONS, looked up again and again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import gevent

from grid_common.http.url import HttpUrl
from load_balancer.substation_entries import SubstationUrl


class Resolution(NamedTuple):
    """What a look-up found: addresses, or why there are none."""

    addresses: Sequence[str] = ()
    fault: str | None = None


class Known(NamedTuple):
    """A substation that is known of; one with a `fault` cannot be reached, for it says why."""

    name: str
    address: str  # `http://address:port`; with a fault, what stands in SUBSTATIONS
    entry: SubstationUrl
    fault: str | None = None


class Directory:
    """Remembers the last good answer for each name, and the name that each address was given."""

    def __init__(self, entries: Iterable[SubstationUrl]) -> None:
        self._answers = {entry: Resolution(fault="not looked up yet") for entry in entries}
        self._names: dict[SubstationUrl, dict[str, str]] = {}  # by address
        self._known: list[Known] | None = None  # as long as no answer is another
        self._called: Mapping[str, str] = {}

    def call(self, names: Mapping[str, str]) -> None:
        """Call substations as a balancer does that was there before, by their addresses.

        So each has one name at all balancers, though they saw it come at different times.
        """
        if names != self._called:
            self._called, self._known = dict(names), None

    def addresses(self, entry: SubstationUrl) -> Sequence[str]:
        """List the addresses that a name last led to."""
        return self._answers[entry].addresses

    def set_entries(self, entries: Iterable[SubstationUrl]) -> None:
        """Take other entries in; what is known of those that stay is kept."""
        before = self._answers
        self._answers = {
            entry: before.get(entry, Resolution(fault="not looked up yet")) for entry in entries
        }
        self._names = {key: names for key, names in self._names.items() if key in self._answers}
        if list(before) != list(self._answers):
            self._known = None

    def update(self, answers: Mapping[SubstationUrl, Resolution]) -> list[Known]:
        """Take in what the look-ups found and list every substation.

        A failed or empty look-up keeps the last good answer; an entry that never had one is listed
        as it stands, with the fault. An address keeps its name for as long as it is there: the
        entry's own for one that is alone, `name@address` for one among several. It belongs to the
        first entry that leads to it, and is a fault of the others.
        """
        for entry, before in self._answers.items():
            answer = answers.get(entry, before)
            if answer != before and (answer.addresses or not before.addresses):
                self._answers[entry] = answer
                self._known = None
        if self._known is None:
            taken: dict[str, str] = {}
            self._known = [one for entry in self._answers for one in self._list(entry, taken)]
        return self._known

    def _list(self, entry: SubstationUrl, taken: dict[str, str]) -> list[Known]:
        addresses, fault = self._answers[entry]
        names = self._names.setdefault(entry, {})
        for gone in names.keys() - set(addresses):
            del names[gone]
        if not addresses:
            return [Known(entry.name, str(HttpUrl(entry.host, entry.port)), entry, fault)]
        known = []
        for address in addresses:
            alone = len(addresses) == 1
            name = names.setdefault(address, entry.name if alone else f"{entry.name}@{address}")
            url = str(HttpUrl(address, entry.port))
            called = self._called.get(url, name)
            if called != name and called in (entry.name, f"{entry.name}@{address}"):
                names[address] = name = called
            other = taken.setdefault(url, name)
            if other == name:
                known.append(Known(name, url, entry))
            else:
                fault = f"leads to {url}, which is {other} already: leave one of them out"
                known.append(Known(name, f"{name}={url}", entry, fault))
        return known


def look_up_all(
    entries: Iterable[SubstationUrl], find: Callable[[SubstationUrl], Sequence[str]]
) -> dict[SubstationUrl, Resolution]:
    """Look all names up at once."""

    def look_up(entry: SubstationUrl) -> Resolution:
        try:
            addresses = find(entry)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Resolution(fault=f"the name {entry.host} cannot be resolved ({why})")
        return Resolution(addresses, None if addresses else f"the name {entry.host} has no address")

    jobs = {entry: gevent.spawn(look_up, entry) for entry in entries}
    gevent.joinall(list(jobs.values()))
    return {
        entry: job.value or Resolution(fault="its look-up failed") for entry, job in jobs.items()
    }
