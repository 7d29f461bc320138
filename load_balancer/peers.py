"""Shares between balancers how many vehicles each has at the substations.

Each balancer queries every other one repeatedly. A response comes as soon as something changes, and
after a second at the latest. So an estimate is as good as that of a single balancer, except for
what the others did within some 50 ms.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import gevent
import orjson

from grid_common.http.client import ProtocolError, Upstream, UpstreamError, UpstreamResponse
from grid_common.http.url import HttpUrl, in_url
from grid_common.logs import Log
from grid_common.names import choose_family, listens, resolve
from load_balancer.discovery import Directory
from load_balancer.routing.peer_loads import REPORT_PAUSE_S
from load_balancer.routing.pool import Pool
from load_balancer.settings import Settings

# Additional time between two reports per substation, seconds, because all of them are listed.
_PAUSE_EACH_S = 0.0002
# Maximum time until a response, seconds, and how much longer to wait for it.
_MAX_S, _LATE_S = 1.0, 1.5
# Pauses before retrying a balancer that does not respond, or that is this balancer itself, seconds.
_ASK_AGAIN_S, _ITSELF_S = 0.5, 5.0
_LIMIT = 4_194_304
_MAX_HELD = 1_000_000


class _PeerReport(NamedTuple):
    name: str
    began: float
    version: int
    pause_s: float
    holds: dict[str, int]
    names: dict[str, str]


@dataclass(eq=False, repr=False)
class Peers:
    """Follows the other balancers in `PEERS`, and reports to them. One per process."""

    settings: Settings
    pool: Pool
    directory: Directory
    random: Random
    log: Log
    _name: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _began: float = field(default_factory=time.time, init=False)
    # Addresses, by the URL that resolved to them.
    _followed: dict[str, set[str]] = field(default_factory=dict, init=False)
    _names: dict[str, str] = field(default_factory=dict, init=False)  # of balancers, by address

    def __post_init__(self) -> None:
        for url in self.settings.peer_urls:
            gevent.spawn(self._look_up, url)

    def report(self, since: int) -> bytes:
        """Return this balancer's vehicles once they have changed since that version.

        Args:
            since: `version` of the previous response.
        """
        pool = self.pool
        pause_s = REPORT_PAUSE_S + _PAUSE_EACH_S * len(pool.substations)
        until = time.monotonic() + _MAX_S
        while pool.held_version == since and time.monotonic() < until:
            gevent.sleep(pause_s)
        return orjson.dumps(
            {
                "balancer": self._name,
                "began": self._began,
                "version": pool.held_version,
                "pause_s": pause_s,
                "holds": pool.holds(),
                "names": {
                    substation.address: substation.name for substation in pool.substations.values()
                },
            }
        )

    def _look_up(self, url: HttpUrl) -> None:
        """Follow the addresses that a name resolves to."""
        found: set[str] = set()
        while True:
            try:
                families = resolve(url.host, url.port)
            except OSError as error:
                self.log.debug("peers not found", host=url.host, error=str(error))
            else:
                chosen = choose_family(
                    families,
                    last=found,
                    is_healthy=lambda address: str(HttpUrl(address, url.port)) in self._names,
                    listens=lambda address: listens(
                        address, url.port, self.settings.connect_timeout
                    ),
                )
                found = set(chosen)
                before = self._followed.get(str(url), set())
                self._followed[str(url)] = {str(HttpUrl(one, url.port)) for one in chosen}
                for address in self._followed[str(url)] - before:
                    gevent.spawn(self._follow, url, address)
            gevent.sleep(self.settings.resolve_interval * self.random.uniform(0.9, 1.1))

    def _follow(self, url: HttpUrl, address: str) -> None:
        """Query one balancer while its name resolves to it."""
        upstream = Upstream(
            address,
            connect_timeout_s=self.settings.connect_timeout,
            connections=1,
            host=f"{in_url(url.host)}:{url.port}",
        )
        since = -1
        while address in self._followed[str(url)]:
            try:
                report = _read(
                    upstream.request(
                        "GET",
                        f"/holds?since={since}",
                        within_s=_MAX_S + _LATE_S,
                        limit=_LIMIT,
                    )
                )
            except UpstreamError as error:
                self._lost(address, str(error))
                since = -1
                gevent.sleep(_ASK_AGAIN_S * self.random.uniform(0.8, 1.2))
                continue
            if report.name == self._name:
                gevent.sleep(_ITSELF_S)
                continue
            since = report.version
            self._apply(address, report)
            gevent.sleep(report.pause_s)
        self._lost(address, "its name resolves to other addresses")
        upstream.close()

    def _apply(self, address: str, report: _PeerReport) -> None:
        before = self._names.get(address)
        if before != report.name:
            if before is not None:
                self.pool.forget_peer(before)
            self._names[address] = report.name
            self.log.info("balancer found", balancer=report.name, address=address)
        if (report.began, report.name) < (self._began, self._name):
            self.directory.use_names(report.names)
        self.pool.peer_holds(report.name, report.holds, time.monotonic())

    def _lost(self, address: str, why: str) -> None:
        name = self._names.pop(address, None)
        if name is not None:
            self.log.warning("balancer lost", balancer=name, address=address, why=why)
            if name not in self._names.values():
                self.pool.forget_peer(name)


def _read(response: UpstreamResponse) -> _PeerReport:
    try:
        reported: Mapping[str, Any] = orjson.loads(response.body)
        holds = {str(at): min(_MAX_HELD, max(0, int(n))) for at, n in reported["holds"].items()}
        names = {str(at): str(name) for at, name in reported["names"].items()}
        pause_s = min(_MAX_S, max(REPORT_PAUSE_S, float(reported["pause_s"])))
        return _PeerReport(
            str(reported["balancer"]),
            float(reported["began"]),
            int(reported["version"]),
            pause_s,
            holds,
            names,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"answered {response.status} when asked for its vehicles") from error
