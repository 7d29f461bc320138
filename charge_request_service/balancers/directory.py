"""The balancers in use: looks up the names in `BALANCER_URL` and has a client for each address."""

from collections.abc import Sequence
from random import Random
from secrets import token_hex
from typing import Any

import gevent
from gevent.event import Event

from charge_request_service.balancers.client import Balancer
from charge_request_service.settings import Settings
from grid_common.http.url import HttpUrl, in_url, is_address
from grid_common.logs import Log
from grid_common.names import choose_family, listens, resolve

# Minimum time between unscheduled look-ups, seconds.
_LOOK_UP_PAUSE_S = 0.25


class BalancerDirectory:
    """The balancers behind `BALANCER_URL`.

    Attributes:
        known: the balancers by URL, in the order of `BALANCER_URL`.
        fault: why none is known, or the last failed look-up.
    """

    def __init__(self, settings: Settings, *, random: Random, log: Log) -> None:
        """Create the clients of the addresses, and start to look up the names."""
        self.known: dict[str, Balancer] = {}
        self.fault = "its name was not looked up yet"
        self._settings = settings
        self._random = random
        self._log = log
        self._gateway = token_hex(8)
        self._addresses: dict[HttpUrl, Sequence[str]] = {}
        self._look_up_now = Event()
        self._urls = settings.balancer_urls
        names = []
        for url in self._urls:
            if is_address(url.host):
                self._addresses[url] = [url.host]
            else:
                names.append(url)
        self._update()
        for name in names:
            gevent.spawn(self._follow, name)

    def responsive(self) -> list[Balancer]:
        """List the balancers that may respond; all, if none is known to."""
        known = list(self.known.values())
        return [one for one in known if not one.watch.is_silent()] or known

    def refused(self, balancer: Balancer | None) -> None:
        """Note a refused connection: avoid that balancer if there are others, and look it up."""
        self._look_up_now.set()  # its address may have changed
        if balancer is not None and len(self.known) > 1:
            balancer.watch.refused()

    def document(self) -> list[dict[str, Any]]:
        """Return the balancers and their states, as `GET /balancers` shows them."""
        return [
            {"url": url, "held": one.watch.held, "well": one.watch.is_healthy}
            for url, one in self.known.items()
        ]

    def _is_other_healthy(self, url: str) -> bool:
        return any(one.watch.is_healthy for one in self.known.values() if one.url != url)

    def _follow(self, url: HttpUrl) -> None:
        """Look up a name repeatedly."""
        reported: str | None = None
        while True:
            fault = self._look_up(url)
            if fault != reported:
                if fault is None:
                    self._log.info("name found again", host=url.host)
                else:
                    self._log.warning("name not found", host=url.host, error=fault)
                reported = fault
            gevent.sleep(_LOOK_UP_PAUSE_S)
            pause_s = self._settings.resolve_interval * self._random.uniform(0.9, 1.1)
            self._look_up_now.wait(max(0.0, pause_s - _LOOK_UP_PAUSE_S))
            self._look_up_now.clear()

    def _look_up(self, url: HttpUrl) -> str | None:
        """Update a name's addresses; if the look-up fails, keep them and return why."""
        try:
            families = resolve(url.host, url.port)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.fault = f"the name {url.host} cannot be resolved ({why})"
            return self.fault
        last = self._addresses.get(url, ())
        self._addresses[url] = choose_family(
            families,
            last=last,
            is_healthy=lambda address: self._serves(HttpUrl(address, url.port)),
            listens=lambda address: listens(address, url.port, self._settings.connect_timeout),
        )
        if self._addresses[url] != last:
            self._update()
        return None

    def _serves(self, url: HttpUrl) -> bool:
        balancer = self.known.get(str(url))
        return balancer is not None and balancer.watch.held > 0 and balancer.watch.is_healthy

    def _update(self) -> None:
        """Use the current addresses; balancers at removed ones finish their vehicles."""
        before, self.known = self.known, {}
        for url in self._urls:
            for address in self._addresses.get(url, ()):
                at = str(HttpUrl(address, url.port))
                self.known[at] = before.get(at) or Balancer(
                    at,
                    f"{in_url(url.host)}:{url.port}",
                    self._settings,
                    gateway=self._gateway,
                    is_other_healthy=self._is_other_healthy,
                    log=self._log,
                )
        for at, balancer in before.items():
            if at not in self.known:
                balancer.close()
        if before.keys() != self.known.keys() and (before or len(self.known) > 1):
            self._log.info("balancers found", balancers=list(self.known))
