"""Asks the balancers: their views, the states of sessions, and commands to all of them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import gevent
import orjson

from charge_request_service.balancers.client import Balancer
from charge_request_service.balancers.directory import BalancerDirectory
from charge_request_service.balancers.problems import unreachable
from grid_common.api.problems import BadRequest, FieldFault, Unavailable
from grid_common.http.client import ConnectError, UpstreamError, UpstreamResponse

# The balancer asks the session's substation, or all of them after a restart. Seconds.
_STOP_TIMEOUT_S = 10.0
_VIEW_TIMEOUT_S = 2.0
# The balancer that charges a session knows best; then the one where it waits.
_STATE_RANKS = {"charging": 0, "waiting": 1}


class BalancerQueries:
    """Requests to balancers, except those that charge a vehicle.

    Each method raises Unavailable if no balancer can be reached.
    """

    def __init__(self, directory: BalancerDirectory) -> None:
        self._directory = directory

    def sessions(self, session_ids: Sequence[str], *, request_id: str) -> list[dict[str, Any]]:
        """Query the state of some sessions, at most 100; unknown ones are left out."""
        found: dict[str, dict[str, Any]] = {}
        path = f"/sessions?ids={','.join(session_ids)}"
        for _, response in self._ask_all(path, request_id=request_id):
            if response.status == HTTPStatus.OK:
                for document in orjson.loads(response.body)["sessions"]:
                    session_id = document["session_id"]
                    found[session_id] = min(found.get(session_id, document), document, key=_rank)
        return list(found.values())

    def session(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Query a session's state; None if it is not known."""
        found = self.find(session_id, request_id=request_id)
        return None if found is None else found[1]

    def find(self, session_id: str, *, request_id: str) -> tuple[Balancer, dict[str, Any]] | None:
        """Return the balancer that leads a session, and its state there; None if there is none."""
        known = []
        for balancer, response in self._ask_all(f"/sessions/{session_id}", request_id=request_id):
            document = _session_in(response)
            if document is not None:
                known.append((balancer, document))
        return min(known, key=lambda one: _rank(one[1]), default=None)

    def stop(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Stop a session and return its result; None if it is not known. Idempotent.

        The balancer that leads it is asked. If none does, any is: it asks all substations.
        """
        balancer = None
        if len(self._directory.known) > 1:
            found = self.find(session_id, request_id=request_id)
            balancer = None if found is None else found[0]
        response = self._ask(
            f"/sessions/{session_id}",
            request_id=request_id,
            method="DELETE",
            timeout_s=_STOP_TIMEOUT_S,
            of=balancer,
        )
        return _session_in(response)

    def get(self, path: str, *, request_id: str, of: str | None = None) -> UpstreamResponse:
        """Query a view, from the same balancer for as long as it responds.

        `of` is the URL of the only balancer to ask; None for any.

        Raises:
            BadRequest: there is no such balancer.
            Unavailable: none can be reached.
        """
        known = self._directory.known
        if of is not None and of not in known:
            raise BadRequest([FieldFault("balancer", "it takes a `url` of GET /balancers")])
        return self._ask(path, request_id=request_id, of=None if of is None else known[of])

    def command_all(self, path: str, *, request_id: str, method: str) -> UpstreamResponse:
        """Send a command to every balancer; return the first failure, or a success.

        Raises:
            Unavailable: not all can be reached.
        """
        asked = list(self._directory.known.values())
        responses = self._ask_all(path, request_id=request_id, method=method, of=asked)
        if len(responses) < len(asked):
            silent = {one.url for one in asked} - {one.url for one, _ in responses}
            raise unreachable(f"no response from {', '.join(sorted(silent))}")
        return max((response for _, response in responses), key=lambda response: response.status)

    def reason_not_ready(self, request_id: str) -> str | None:
        """Return why no balancer can be given vehicles, or None if one can."""
        try:
            responses = self._ask_all("/readyz", request_id=request_id)
        except Unavailable as problem:
            return problem.detail
        ready = any(response.status == HTTPStatus.OK for _, response in responses)
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
        why = self._directory.fault
        for balancer in [of] if of is not None else self._directory.responsive():
            try:
                return balancer.ask(path, request_id=request_id, method=method, timeout_s=timeout_s)
            except UpstreamError as error:
                why = str(error)
                if isinstance(error, ConnectError):
                    self._directory.refused(balancer)
        raise unreachable(why)

    def _ask_all(
        self,
        path: str,
        *,
        request_id: str,
        method: str = "GET",
        of: Sequence[Balancer] | None = None,
    ) -> list[tuple[Balancer, UpstreamResponse]]:
        """Ask all balancers at once; return the responses that arrive."""
        asked = self._directory.responsive() if of is None else of
        if len(asked) == 1:
            response = self._ask(path, request_id=request_id, method=method, of=asked[0])
            return [(asked[0], response)]

        def ask(balancer: Balancer) -> UpstreamResponse | UpstreamError:
            try:
                return balancer.ask(
                    path, request_id=request_id, method=method, timeout_s=_VIEW_TIMEOUT_S
                )
            except UpstreamError as error:
                return error

        jobs = [(balancer, gevent.spawn(ask, balancer)) for balancer in asked]
        gevent.joinall([job for _, job in jobs])
        found = [(one, job.value) for one, job in jobs if isinstance(job.value, UpstreamResponse)]
        if not found:
            raise unreachable(str(jobs[0][1].value) if jobs else self._directory.fault)
        return found


def _rank(document: dict[str, Any]) -> int:
    return _STATE_RANKS.get(str(document.get("state")), 2)


def _session_in(response: UpstreamResponse) -> dict[str, Any] | None:
    """Return the session in a balancer's response; None if the balancer does not know it."""
    if response.status == HTTPStatus.OK:
        found: dict[str, Any] = orjson.loads(response.body)
        return found
    if response.status == HTTPStatus.NOT_FOUND:
        return None
    raise unreachable(f"it answered {response.status}")
