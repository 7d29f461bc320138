"""Has the balancers that share substations know what each of them holds there.

Each asks every other one, again and again; an answer comes as soon as something has changed, and
within a second in any case. So an estimate is as good as that of one balancer alone, less what the
others did within some 50 ms.
"""

import time
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

import gevent
import orjson

from grid_common.http.client import ProtocolError, Upstream, UpstreamError, UpstreamResponse
from grid_common.http.url import HttpUrl, in_url
from grid_common.logs import Log
from grid_common.names import choose_family, listens, resolve
from load_balancer.discovery import Directory
from load_balancer.routing.pool import Pool
from load_balancer.settings import Settings

__all__ = ["PAUSE_S", "Holdings", "Peers"]

# Two answers to one balancer are so far apart at least, seconds, and so much more for each
# substation, for all of them are listed.
PAUSE_S, _PAUSE_EACH_S = 0.05, 0.0002
# An answer comes after this at the latest, seconds, and is waited for as much longer.
_MAX_S, _LATE_S = 1.0, 1.5
# Pauses until one that does not answer, or is this balancer itself, is asked again, seconds.
_ASK_AGAIN_S, _ITSELF_S = 0.5, 5.0
_LIMIT = 4_194_304
_MAX_HELD = 1_000_000


class Holdings:
    """What this balancer tells the others."""

    def __init__(self, pool: Pool, name: str) -> None:
        """Prepare.

        Args:
            pool: knows what is held.
            name: this balancer's, made up at its start.
        """
        self.name = name
        self.began = time.time()
        self._pool = pool

    def wait(self, since: int) -> bytes:
        """Answer once this balancer's vehicles are not where they were at that version.

        Args:
            since: `version` of the answer before.
        """
        pool = self._pool
        pause_s = PAUSE_S + _PAUSE_EACH_S * len(pool.substations)
        until = time.monotonic() + _MAX_S
        while pool.held_version == since and time.monotonic() < until:
            gevent.sleep(pause_s)
        return orjson.dumps(
            {
                "balancer": self.name,
                "began": self.began,
                "version": pool.held_version,
                "pause_s": pause_s,
                "holds": pool.holds(),
                "names": {
                    substation.address: substation.name for substation in pool.substations.values()
                },
            }
        )


class _Word(NamedTuple):
    name: str
    began: float
    version: int
    pause_s: float
    holds: dict[str, int]
    names: dict[str, str]


class Peers:
    """Follows the other balancers. One for the process."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        directory: Directory,
        holdings: Holdings,
        *,
        random: Random,
        log: Log,
    ) -> None:
        """Begin to look for them, where `PEERS` says where they are."""
        self._settings = settings
        self._pool = pool
        self._directory = directory
        self._holdings = holdings
        self._random = random
        self._log = log
        self._followed: dict[str, set[str]] = {}  # addresses, by the URL that led to them
        self._heard: dict[str, str] = {}  # names of balancers, by address
        for url in settings.peer_urls:
            gevent.spawn(self._look_up, url)

    def _look_up(self, url: HttpUrl) -> None:
        """Follow all that a name leads to, as that changes."""
        found: set[str] = set()
        while True:
            try:
                families = resolve(url.host, url.port)
            except OSError as error:
                self._log.debug("peers not found", host=url.host, error=str(error))
            else:
                chosen = choose_family(
                    families,
                    last=found,
                    is_well=lambda address: str(HttpUrl(address, url.port)) in self._heard,
                    listens=lambda address: listens(
                        address, url.port, self._settings.connect_timeout
                    ),
                )
                found = set(chosen)
                before = self._followed.get(str(url), set())
                self._followed[str(url)] = {str(HttpUrl(one, url.port)) for one in chosen}
                for address in self._followed[str(url)] - before:
                    gevent.spawn(self._follow, url, address)
            gevent.sleep(self._settings.resolve_interval * self._random.uniform(0.9, 1.1))

    def _follow(self, url: HttpUrl, address: str) -> None:
        """Ask one balancer for as long as its name leads to it."""
        upstream = Upstream(
            address,
            connect_timeout_s=self._settings.connect_timeout,
            connections=1,
            host=f"{in_url(url.host)}:{url.port}",
        )
        since = -1
        while address in self._followed[str(url)]:
            try:
                word = _read(
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
                gevent.sleep(_ASK_AGAIN_S * self._random.uniform(0.8, 1.2))
                continue
            if word.name == self._holdings.name:
                gevent.sleep(_ITSELF_S)
                continue
            since = word.version
            self._take(address, word)
            gevent.sleep(word.pause_s)
        self._lost(address, "its name leads elsewhere")
        upstream.close()

    def _take(self, address: str, word: _Word) -> None:
        before = self._heard.get(address)
        if before != word.name:
            if before is not None:
                self._pool.forget_peer(before)
            self._heard[address] = word.name
            self._log.info("balancer found", balancer=word.name, address=address)
        if (word.began, word.name) < (self._holdings.began, self._holdings.name):
            self._directory.call(word.names)
        self._pool.peer_holds(word.name, word.holds, time.monotonic())

    def _lost(self, address: str, why: str) -> None:
        name = self._heard.pop(address, None)
        if name is not None:
            self._log.warning("balancer lost", balancer=name, address=address, why=why)
            if name not in self._heard.values():
                self._pool.forget_peer(name)


def _read(answer: UpstreamResponse) -> _Word:
    try:
        reported: Mapping[str, Any] = orjson.loads(answer.body)
        holds = {str(at): min(_MAX_HELD, max(0, int(n))) for at, n in reported["holds"].items()}
        names = {str(at): str(name) for at, name in reported["names"].items()}
        pause_s = min(_MAX_S, max(PAUSE_S, float(reported["pause_s"])))
        return _Word(
            str(reported["balancer"]),
            float(reported["began"]),
            int(reported["version"]),
            pause_s,
            holds,
            names,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"answered {answer.status} where it was asked what it holds") from error
