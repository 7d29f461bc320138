"""All balancers as one: resolves their names, distributes vehicles, copes with failures."""

import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from random import Random
from secrets import token_hex
from typing import Any
from zlib import crc32

import gevent
import orjson
from gevent.event import Event

from charge_request_service.balancer_client import Balancer
from charge_request_service.balancer_watch import BalancerLost
from charge_request_service.settings import Settings
from grid_common.api.charge import Session
from grid_common.api.problems import BadRequest, FieldFault, Unavailable
from grid_common.drain import says_it_drains
from grid_common.held_limit import has_no_connection_free
from grid_common.http.client import ConnectError, UpstreamError, UpstreamResponse
from grid_common.http.url import HttpUrl, in_url
from grid_common.logs import Log
from grid_common.names import choose_family, listens, resolve

# Bounds of the growing pauses between attempts to reach a restarting balancer, seconds.
_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 1.0
# By then a killed balancer should be back, seconds.
_RETRY_AFTER_S = 2.0
# The balancer asks the session's substation, or all of them after a restart. Seconds.
_STOP_TIMEOUT_S = 10.0
_VIEW_TIMEOUT_S = 2.0
# Minimum time between unscheduled look-ups, seconds.
_LOOK_UP_PAUSE_S = 0.25


class Balancers:
    """The balancers behind `BALANCER_URL`."""

    def __init__(self, settings: Settings, *, random: Random, log: Log) -> None:
        """Start to look up the names."""
        self._settings = settings
        self._random = random
        self._log = log
        self._choices = 0
        self._gateway = token_hex(8)
        self._fault = "its name was not looked up yet"
        self._found: dict[HttpUrl, Sequence[str]] = {}
        self._known: dict[str, Balancer] = {}  # by URL, in the order of BALANCER_URL
        self._look_up_now = Event()
        self._urls = settings.balancer_urls
        names = []
        for url in self._urls:
            if url.is_address:
                self._found[url] = [url.host]
            else:
                names.append(url)
        self._take_in()
        for name in names:
            gevent.spawn(self._follow, name)

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
        deadline = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        tried: set[Balancer] = set()
        while True:
            remaining_s = max(0.0, deadline - time.monotonic())
            balancer, answer, why = None, None, self._fault
            try:
                balancer = self._leader(session, request_id, tried) if resumed else None
                balancer = balancer or self._choose(tried)
                if balancer is not None:
                    answer = balancer.charge(
                        session,
                        request_id=request_id,
                        wait_s=remaining_s,
                        grace_s=grace_s,
                        resumed=resumed,
                        is_alone=len(self._known) < 2,
                    )
                    if not _has_not_taken_it(balancer, answer):
                        return answer
            except ConnectError as error:
                why = str(error)
                self._refused(balancer)
            except (UpstreamError, BalancerLost) as error:
                raise Unavailable(
                    "balancer-lost",
                    "The balancer closed the connection, or fell silent, while this vehicle was in "
                    "flight; if it was charging, it was stopped.",
                    retry_after_s=_RETRY_AFTER_S,
                    session_id=session.session_id,
                ) from error
            if balancer is not None:
                tried.add(balancer)
            if any(one not in tried and one.watch.is_healthy for one in self._known.values()):
                continue
            if remaining_s <= 0:
                if answer is not None:
                    return answer
                raise _unreachable(why, session)
            tried.clear()
            gevent.sleep(min(remaining_s, pause_s * self._random.uniform(0.5, 1.0)))
            pause_s = min(_MAX_PAUSE_S, pause_s * 2)

    def _choose(self, tried: set[Balancer]) -> Balancer | None:
        """Choose the healthy balancer with the fewest of this gateway's vehicles.

        Among several, the one chosen least recently; None if there is none.
        """
        if not self._known:
            return None
        chosen = min(
            self._known.values(),
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
        well = [one for one in self._known.values() if one not in tried and one.watch.is_healthy]
        if len(self._known) < 2 or not well:
            return None
        with suppress(Unavailable):
            found = self._find(session.session_id, request_id=request_id)
            if found is not None and found[0] not in tried:
                return found[0]
        return max(well, key=lambda one: crc32(f"{one.url} {session.session_id}".encode()))

    def _is_other_healthy(self, url: str) -> bool:
        return any(one.watch.is_healthy for one in self._known.values() if one.url != url)

    def _refused(self, balancer: Balancer | None) -> None:
        self._look_up_now.set()  # its address may have changed
        if balancer is not None and len(self._known) > 1:
            balancer.watch.refused()

    # Sessions

    def sessions(self, session_ids: Sequence[str], *, request_id: str) -> list[dict[str, Any]]:
        """Query the state of some sessions, at most 100; unknown ones are left out.

        Raises:
            Unavailable: no balancer can be reached.
        """
        found: dict[str, dict[str, Any]] = {}
        path = f"/sessions?ids={','.join(session_ids)}"
        for _, answer in self._ask_all(path, request_id=request_id):
            if answer.status == HTTPStatus.OK:
                for one in orjson.loads(answer.body)["sessions"]:
                    there = found.setdefault(one["session_id"], one)
                    if _rank(one) < _rank(there):
                        found[one["session_id"]] = one
        return list(found.values())

    def session(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Query a session's state; None if it is not known.

        Raises:
            Unavailable: no balancer can be reached.
        """
        found = self._find(session_id, request_id=request_id)
        return None if found is None else found[1]

    def stop(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Stop a session and return its result; None if it is not known. Idempotent.

        The balancer that leads it is asked. If none does, any is: it asks all substations.

        Raises:
            Unavailable: no balancer can be reached.
        """
        balancer = None
        if len(self._known) > 1:
            found = self._find(session_id, request_id=request_id)
            balancer = None if found is None else found[0]
        path = f"/sessions/{session_id}"
        return _found(
            self._ask(
                path, request_id=request_id, method="DELETE", timeout_s=_STOP_TIMEOUT_S, of=balancer
            )
        )

    def _find(self, session_id: str, *, request_id: str) -> tuple[Balancer, dict[str, Any]] | None:
        known = []
        for balancer, answer in self._ask_all(f"/sessions/{session_id}", request_id=request_id):
            document = _found(answer)
            if document is not None:
                known.append((balancer, document))
        return min(known, key=lambda one: _rank(one[1]), default=None)

    # Views

    def get(self, path: str, *, request_id: str, of: str | None = None) -> UpstreamResponse:
        """Query a view, from the same balancer for as long as it responds.

        Args:
            path: the view's path.
            request_id: ID of the request in all log lines.
            of: URL of the only balancer to ask; None for any.

        Raises:
            BadRequest: there is no such balancer.
            Unavailable: none can be reached.
        """
        if of is not None and of not in self._known:
            raise BadRequest([FieldFault("balancer", "it takes a `url` of GET /balancers")])
        return self._ask(path, request_id=request_id, of=None if of is None else self._known[of])

    def shown(self) -> list[dict[str, Any]]:
        """Return the balancers and their states."""
        return [
            {"url": url, "held": one.watch.held, "well": one.watch.is_healthy}
            for url, one in self._known.items()
        ]

    def command_all(self, path: str, *, request_id: str, method: str) -> UpstreamResponse:
        """Send a command to every balancer; return the first failure, or a success.

        Raises:
            Unavailable: not all can be reached.
        """
        asked = list(self._known.values())
        answers = self._ask_all(path, request_id=request_id, method=method, of=asked)
        if len(answers) < len(asked):
            silent = {one.url for one in asked} - {one.url for one, _ in answers}
            raise _unreachable(f"no response from {', '.join(sorted(silent))}")
        return max((answer for _, answer in answers), key=lambda answer: answer.status)

    def reason_not_ready(self, request_id: str) -> str | None:
        """Return why no balancer can be given vehicles, or None if one can."""
        try:
            answers = self._ask_all("/readyz", request_id=request_id)
        except Unavailable as problem:
            return problem.detail
        ready = any(answer.status == HTTPStatus.OK for _, answer in answers)
        return None if ready else "the balancer is not ready"

    def _ask(
        self,
        path: str,
        *,
        request_id: str,
        method: str = "GET",
        timeout_s: float = _VIEW_TIMEOUT_S,
        of: Balancer | None = None,
    ) -> UpstreamResponse:
        why = self._fault
        for balancer in [of] if of is not None else self._asked():
            try:
                return balancer.ask(path, request_id=request_id, method=method, timeout_s=timeout_s)
            except UpstreamError as error:
                why = str(error)
                if isinstance(error, ConnectError):
                    self._refused(balancer)
        raise _unreachable(why)

    def _ask_all(
        self,
        path: str,
        *,
        request_id: str,
        method: str = "GET",
        of: Sequence[Balancer] | None = None,
    ) -> list[tuple[Balancer, UpstreamResponse]]:
        """Ask all balancers at once; return the responses that arrive."""
        asked = self._asked() if of is None else of
        if len(asked) == 1:
            answer = self._ask(path, request_id=request_id, method=method, of=asked[0])
            return [(asked[0], answer)]

        def ask(balancer: Balancer) -> UpstreamResponse | UpstreamError:
            try:
                return balancer.ask(
                    path, request_id=request_id, method=method, timeout_s=_VIEW_TIMEOUT_S
                )
            except UpstreamError as error:
                return error

        jobs = [(balancer, gevent.spawn(ask, balancer)) for balancer in asked]
        gevent.joinall([job for _, job in jobs])
        answers = [(one, job.value) for one, job in jobs if isinstance(job.value, UpstreamResponse)]
        if not answers:
            raise _unreachable(str(jobs[0][1].value) if jobs else self._fault)
        return answers

    def _asked(self) -> list[Balancer]:
        """List the balancers that may respond; all, if none is known to."""
        known = list(self._known.values())
        return [one for one in known if not one.watch.is_silent()] or known

    # Names

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
            self._fault = f"the name {url.host} cannot be resolved ({_reported(error)})"
            return self._fault
        last = self._found.get(url, ())
        self._found[url] = choose_family(
            families,
            last=last,
            is_healthy=lambda address: self._serves(HttpUrl(address, url.port)),
            listens=lambda address: listens(address, url.port, self._settings.connect_timeout),
        )
        if self._found[url] != last:
            self._take_in()
        return None

    def _serves(self, url: HttpUrl) -> bool:
        balancer = self._known.get(str(url))
        return balancer is not None and balancer.watch.held > 0 and balancer.watch.is_healthy

    def _take_in(self) -> None:
        """Use the addresses known now; removed ones finish their vehicles."""
        before, self._known = self._known, {}
        for url in self._urls:
            for address in self._found.get(url, ()):
                at = str(HttpUrl(address, url.port))
                host = f"{in_url(url.host)}:{url.port}"
                self._known[at] = before.get(at) or Balancer(
                    at,
                    host,
                    self._settings,
                    gateway=self._gateway,
                    is_other_healthy=self._is_other_healthy,
                    log=self._log,
                )
        for at, balancer in before.items():
            if at not in self._known:
                balancer.close()
        if before.keys() != self._known.keys() and (before or len(self._known) > 1):
            self._log.info("balancers found", balancers=list(self._known))


def _rank(document: dict[str, Any]) -> int:
    """Rank a balancer's information on a session: the one that charges it knows best."""
    return {"charging": 0, "waiting": 1}.get(str(document.get("state")), 2)


def _reported(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _found(answer: UpstreamResponse) -> dict[str, Any] | None:
    if answer.status == HTTPStatus.OK:
        found: dict[str, Any] = orjson.loads(answer.body)
        return found
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    raise _unreachable(f"it answered {answer.status}")


def _unreachable(why: str, session: Session | None = None) -> Unavailable:
    return Unavailable(
        "balancer-unreachable",
        f"The balancer cannot be reached ({why}).",
        retry_after_s=_RETRY_AFTER_S,
        session_id=session.session_id if session else None,
    )


def _has_not_taken_it(balancer: Balancer, answer: UpstreamResponse) -> bool:
    """Return whether a balancer accepts no vehicle now; note it if it drains."""
    if says_it_drains(answer):
        balancer.watch.drains()
        return True
    return has_no_connection_free(answer)
