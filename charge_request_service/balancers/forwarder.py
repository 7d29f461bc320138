"""Forwards vehicles: chooses a balancer for each, and tries others if one fails."""

import time
from contextlib import suppress
from random import Random
from zlib import crc32

import gevent

from charge_request_service.balancers.client import Balancer
from charge_request_service.balancers.directory import BalancerDirectory
from charge_request_service.balancers.problems import lost, unreachable
from charge_request_service.balancers.queries import BalancerQueries
from charge_request_service.balancers.watch import BalancerLost
from grid_common.api.charge import Session
from grid_common.api.problem_type import DRAINING, NO_CONNECTION_FREE, is_refused
from grid_common.api.problems import Unavailable
from grid_common.http.client import ConnectError, UpstreamError, UpstreamResponse

# Bounds of the growing pauses between attempts to reach a restarting balancer, seconds.
_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 1.0


class Forwarder:
    """Distributes vehicles among the balancers."""

    def __init__(
        self, directory: BalancerDirectory, queries: BalancerQueries, *, random: Random
    ) -> None:
        self._directory = directory
        self._queries = queries
        self._random = random
        self._choices = 0

    def charge(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        grace_s: float | None = None,
        resumed: bool = False,
    ) -> UpstreamResponse:
        """Forward a vehicle to a balancer and wait for the response.

        A balancer has not seen the vehicle if it refuses the connection, is known to be silent,
        drains, or is out of connections. Then the others are tried, and all of them again until
        `wait_s` is over. A balancer that breaks the connection or stays silent may have charged it.
        Then no other is tried, except after a stale kept-alive connection (see `Upstream`).

        Args:
            session: what is asked for.
            request_id: ID of the request in all log lines.
            wait_s: how long to try, and how long the vehicle may wait for a free point, seconds.
            grace_s: how long it continues if the connection is lost, seconds; None stops it then.
            resumed: whether it may have been forwarded before.

        Raises:
            Unavailable: no balancer can be reached in time, or the one that had the vehicle broke
                the connection or fell silent.
        """
        directory = self._directory
        deadline = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        tried: set[Balancer] = set()
        while True:
            remaining_s = max(0.0, deadline - time.monotonic())
            balancer, response, why = None, None, directory.fault
            try:
                balancer = self._leader(session, request_id, tried) if resumed else None
                balancer = balancer or self._choose(tried)
                if balancer is not None:
                    response = balancer.charge(
                        session,
                        request_id=request_id,
                        wait_s=remaining_s,
                        grace_s=grace_s,
                        resumed=resumed,
                        is_alone=len(directory.known) < 2,
                    )
                    if not _has_refused(balancer, response):
                        return response
            except ConnectError as error:
                why = str(error)
                directory.refused(balancer)
            except (UpstreamError, BalancerLost) as error:
                raise lost(session.session_id) from error
            if balancer is not None:
                tried.add(balancer)
            if any(one not in tried and one.watch.is_healthy for one in directory.known.values()):
                continue
            if remaining_s <= 0:
                if response is not None:
                    return response
                raise unreachable(why, session_id=session.session_id)
            tried.clear()
            gevent.sleep(min(remaining_s, pause_s * self._random.uniform(0.5, 1.0)))
            pause_s = min(_MAX_PAUSE_S, pause_s * 2)

    def _choose(self, tried: set[Balancer]) -> Balancer | None:
        """Choose the healthy balancer with the fewest of this gateway's vehicles.

        Among several, the one chosen least recently; None if there is none.
        """
        known = self._directory.known
        if not known:
            return None
        chosen = min(
            known.values(),
            key=lambda one: (
                one in tried,
                not one.watch.is_healthy,
                one.watch.held,
                one.last_chosen,
            ),
        )
        self._choices += 1
        chosen.last_chosen = self._choices
        return chosen

    def _leader(self, session: Session, request_id: str, tried: set[Balancer]) -> Balancer | None:
        """Find the leader of a session that was forwarded before; None if there is no choice.

        If it has no leader, every gateway gets the same balancer, so that it cannot get two.
        """
        known = self._directory.known.values()
        healthy = [one for one in known if one not in tried and one.watch.is_healthy]
        if len(known) < 2 or not healthy:
            return None
        with suppress(Unavailable):
            found = self._queries.find(session.session_id, request_id=request_id)
            if found is not None and found[0] not in tried:
                return found[0]
        return max(healthy, key=lambda one: crc32(f"{one.url} {session.session_id}".encode()))


def _has_refused(balancer: Balancer, response: UpstreamResponse) -> bool:
    """Return whether a balancer accepts no vehicle now; note it if it drains."""
    if is_refused(response, DRAINING):
        balancer.watch.drains()
        return True
    return is_refused(response, NO_CONNECTION_FREE)
