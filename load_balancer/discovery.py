"""Discovery: looks up the addresses behind the names in SUBSTATIONS repeatedly."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import gevent

from grid_common.http.url import HttpUrl
from load_balancer.substation_entries import SubstationUrl


class Resolution(NamedTuple):
    """The result of a look-up: addresses, or why there are none."""

    addresses: Sequence[str] = ()
    fault: str | None = None


class Known(NamedTuple):
    """A known substation; if it cannot be reached, `fault` says why."""

    name: str
    address: str  # `http://address:port`; with a fault, the entry in SUBSTATIONS
    entry: SubstationUrl
    fault: str | None = None


class Directory:
    """Remembers the last good answer for each name, and the name of each address."""

    def __init__(self, entries: Iterable[SubstationUrl]) -> None:
        self._answers = {entry: Resolution(fault="not looked up yet") for entry in entries}
        self._names: dict[SubstationUrl, dict[str, str]] = {}  # by address
        self._known: list[Known] | None = None  # valid until an answer changes
        self._given_names: Mapping[str, str] = {}

    def use_names(self, names: Mapping[str, str]) -> None:
        """Use the names that another balancer gave to substations, by address.

        Each substation then has the same name at all balancers, even if they found it at different
        times.
        """
        if names != self._given_names:
            self._given_names, self._known = dict(names), None

    def addresses(self, entry: SubstationUrl) -> Sequence[str]:
        """Return the addresses that a name last resolved to."""
        return self._answers[entry].addresses

    def set_entries(self, entries: Iterable[SubstationUrl]) -> None:
        """Replace the entries; what is known of those that stay is kept."""
        before = self._answers
        self._answers = {
            entry: before.get(entry, Resolution(fault="not looked up yet")) for entry in entries
        }
        self._names = {key: names for key, names in self._names.items() if key in self._answers}
        if list(before) != list(self._answers):
            self._known = None

    def update(self, answers: Mapping[SubstationUrl, Resolution]) -> list[Known]:
        """Update the look-ups' results and return every substation.

        A failed or empty look-up keeps the last good answer. An entry that never had one is listed
        as it is, with the fault. An address keeps its name while it exists: the entry's own name
        for a single address, `name@address` for one of several. It belongs to the first entry that
        resolves to it, and is a fault of the others.
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
            given = self._given_names.get(url, name)
            if given != name and given in (entry.name, f"{entry.name}@{address}"):
                names[address] = name = given
            other = taken.setdefault(url, name)
            if other == name:
                known.append(Known(name, url, entry))
            else:
                fault = f"resolves to {url}, which is {other} already: remove one of them"
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
