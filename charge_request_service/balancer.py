"""The gateway's view of the balancer: forwards vehicles, and outlasts a balancer that restarts."""

import time
from collections.abc import Sequence
from http import HTTPStatus
from random import Random
from typing import Any

import gevent
import orjson

from charge_request_service.settings import Settings
from charge_request_service.watch import BalancerLost, BalancerWatch
from grid_common import session_headers
from grid_common.charge import Session
from grid_common.drain import says_it_drains
from grid_common.logs import Log
from grid_common.problems import Unavailable
from grid_common.upstream import Answer, Refused, Upstream, UpstreamError

# Pauses between attempts to reach a balancer that is restarting grow between these, seconds.
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
# By then a balancer that was killed can be expected to be back, seconds.
_RETRY_AFTER_S = 2.0
# The balancer asks the session's substation, or all of them after a restart, seconds.
_STOP_TIMEOUT_S = 10.0


class BalancerClient:
    """Talks to the balancer."""

    def __init__(self, settings: Settings, *, random: Random, log: Log) -> None:
        self._upstream = Upstream(
            settings.balancer_url,
            connect_timeout_s=settings.connect_timeout,
            connections=settings.max_connections,
            idle_s=settings.upstream_idle_timeout,
        )
        self._random = random
        self._check_timeout_s = settings.check_interval
        self._watch = BalancerWatch(
            self._answers,
            interval_s=settings.check_interval,
            checks_missed=settings.checks_missed,
            patience_s=settings.balancer_patience,
            log=log,
        )

    def charge(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        grace_s: float | None = None,
        resumed: bool = False,
    ) -> Answer:
        """Forward a vehicle and wait for its answer.

        A balancer that refuses the connection, is known to be silent, or drains, has not seen the
        vehicle: it is tried again until `wait_s` is over. One that breaks off, or falls silent for
        long, may have had it charged: not tried again, but for a kept-alive connection that was
        closed before the vehicle was sent on it (`Upstream`).

        Args:
            session: what is asked for.
            request_id: as in every log line on the way.
            wait_s: how long to try, and how long the vehicle may wait for a free point, seconds.
            grace_s: how long it goes on where the connection is lost, seconds; None to stop then.
            resumed: whether it may have been forwarded before.

        Raises:
            Unavailable: the balancer cannot be reached in time, broke off, or fell silent.
        """
        deadline = time.monotonic() + wait_s
        pause_s = _FIRST_PAUSE_S
        while True:
            remaining_s = max(0.0, deadline - time.monotonic())
            try:
                answer = self._hand_over(session, request_id, remaining_s, grace_s, resumed=resumed)
                if not says_it_drains(answer):
                    return answer
            except Refused as error:
                if remaining_s <= 0:
                    raise _unreachable(str(error), session) from None
            except (UpstreamError, BalancerLost) as error:
                raise Unavailable(
                    "balancer-lost",
                    "The balancer broke off, or fell silent, while this vehicle was in its hands; "
                    "its charge, if it had begun, is stopped.",
                    retry_after_s=_RETRY_AFTER_S,
                    session_id=session.session_id,
                ) from error
            else:
                if remaining_s <= 0:
                    return answer
            gevent.sleep(min(remaining_s, pause_s * self._random.uniform(0.5, 1.0)))
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _hand_over(
        self,
        session: Session,
        request_id: str,
        wait_s: float,
        grace_s: float | None,
        *,
        resumed: bool,
    ) -> Answer:
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": request_id,
            "Prefer": f"wait={wait_s:.3f}",
        }
        if grace_s is not None:
            headers[session_headers.GRACE] = f"{grace_s:g}"
        if resumed:
            headers[session_headers.RESUMED] = session_headers.YES
        if self._watch.is_silent():
            raise Refused("it has stopped answering")
        with self._watch.vehicle_in_hand():
            return self._upstream.request(
                "POST",
                "/charge",
                body=session.body(),
                headers=headers,
            )

    def _answers(self) -> bool:
        """Ask for a sign of life: any answer is one."""
        try:
            self._upstream.request("GET", "/healthz", within_s=self._check_timeout_s)
        except UpstreamError:
            return False
        return True

    def sessions(self, session_ids: Sequence[str], *, request_id: str) -> list[dict[str, Any]]:
        """Ask where some sessions stand, 100 at most; those that it does not know are left out.

        Raises:
            Unavailable: it cannot be reached.
        """
        answer = self.get(f"/sessions?ids={','.join(session_ids)}", request_id=request_id)
        if answer.status != HTTPStatus.OK:
            return []
        found: list[dict[str, Any]] = orjson.loads(answer.body)["sessions"]
        return found

    def session(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Ask where a session stands; None where it is not known.

        Raises:
            Unavailable: it cannot be reached.
        """
        return _found(self.get(f"/sessions/{session_id}", request_id=request_id))

    def stop(self, session_id: str, *, request_id: str) -> dict[str, Any] | None:
        """Stop a session, and tell what it got; None where it is not known. Twice is no error.

        Raises:
            Unavailable: it cannot be reached.
        """
        return _found(
            self.get(
                f"/sessions/{session_id}",
                request_id=request_id,
                method="DELETE",
                timeout_s=_STOP_TIMEOUT_S,
            )
        )

    def get(
        self, path: str, *, request_id: str, timeout_s: float = 2.0, method: str = "GET"
    ) -> Answer:
        """Ask the balancer for one of its views.

        Raises:
            Unavailable: it cannot be reached.
        """
        try:
            return self._upstream.request(
                method,
                path,
                headers={"X-Request-ID": request_id},
                within_s=timeout_s,
                limit=16_777_216,
            )
        except UpstreamError as error:
            raise _unreachable(str(error)) from None


def _found(answer: Answer) -> dict[str, Any] | None:
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
