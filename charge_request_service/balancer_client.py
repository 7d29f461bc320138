"""One balancer, at one address: takes vehicles, is asked where sessions stand, and is watched."""

import time
from collections.abc import Callable
from functools import partial

from charge_request_service.balancer_watch import BalancerWatch, Sign
from charge_request_service.settings import Settings
from grid_common.api import session_headers
from grid_common.api.charge import Session
from grid_common.http.client import ConnectError, Upstream, UpstreamError, UpstreamResponse
from grid_common.logs import Log

# Views are a few hundred KB with thousands of substations.
_VIEW_LIMIT = 16_777_216
_DRAINING = b"draining"


class Balancer:
    """Talks to one address.

    Attributes:
        url: `http://address:port`.
        watch: tells how it is.
        last_chosen: the number of the choice that took it last.
    """

    def __init__(
        self,
        url: str,
        host: str,
        settings: Settings,
        *,
        gateway: str,
        is_other_well: Callable[[str], bool],
        log: Log,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            url: `http://address:port`.
            host: what `Host` says: the name that led to the address, and the port.
            settings: the gateway's.
            gateway: this process' name.
            is_other_well: tells whether there is another than that of this URL to go on with.
            log: the gateway's.
        """
        self.url = url
        self.last_chosen = 0
        self._upstream = Upstream(
            url,
            connect_timeout_s=settings.connect_timeout,
            connections=settings.max_connections,
            idle_s=settings.upstream_idle_timeout,
            host=host,
        )
        self._check_timeout_s = settings.check_interval
        self._gateway = gateway
        self._lease = f"{settings.check_interval * settings.check_unhealthy_threshold:.3f}"
        self.watch = BalancerWatch(
            self._check,
            interval_s=settings.check_interval,
            checks_missed=settings.check_unhealthy_threshold,
            patience_s=settings.balancer_patience,
            is_other_well=partial(is_other_well, url),
            log=log.bind(balancer=url),
        )

    def charge(
        self,
        session: Session,
        *,
        request_id: str,
        wait_s: float,
        grace_s: float | None,
        resumed: bool,
        is_alone: bool,
    ) -> UpstreamResponse:
        """Hand a vehicle over and wait for its answer.

        Args:
            session: what is asked for.
            request_id: as in every log line on the way.
            wait_s: how long the vehicle may wait for a free point, seconds.
            grace_s: how long it goes on where the connection is lost, seconds; None to stop then.
            resumed: whether it may have been forwarded before.
            is_alone: whether there is no other balancer that could lead it.

        Raises:
            ConnectError: it was not handed over.
            UpstreamError, BalancerLost: the balancer broke off, or was silent for too long.
        """
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": request_id,
            "Prefer": f"wait={wait_s:.3f}",
        }
        if grace_s is not None:
            headers[session_headers.GRACE] = f"{grace_s:g}"
        if resumed:
            headers[session_headers.RESUMED] = session_headers.YES
        movable = grace_s is not None and not is_alone
        if movable:
            headers[session_headers.OWNER] = self._name
            headers[session_headers.LEASE] = self._lease
            headers[session_headers.SENT] = f"{time.monotonic():.3f}"
        if self.watch.is_silent():
            raise ConnectError("it has stopped answering")
        with self.watch.vehicle_in_flight(movable=movable):
            return self._upstream.request("POST", "/charge", body=session.body(), headers=headers)

    def ask(
        self,
        path: str,
        *,
        request_id: str,
        timeout_s: float,
        method: str = "GET",
    ) -> UpstreamResponse:
        """Ask for one of its views.

        Raises:
            UpstreamError: there is no answer.
        """
        return self._upstream.request(
            method,
            path,
            headers={"X-Request-ID": request_id},
            within_s=timeout_s,
            limit=_VIEW_LIMIT,
        )

    def close(self) -> None:
        """Disconnect, on vehicles once their answers have come."""
        self.watch.close()
        self._upstream.close()

    @property
    def _name(self) -> str:
        """This gateway's name at that balancer: another one after its sessions were moved on."""
        return f"{self._gateway}.{self.watch.term}"

    def _check(self) -> Sign | None:
        """Ask for a sign of life: any answer is one."""
        try:
            answer = self._upstream.request(
                "GET",
                "/healthz",
                headers={
                    session_headers.OWNER: self._name,
                    session_headers.SENT: f"{time.monotonic():.3f}",
                },
                within_s=self._check_timeout_s,
            )
        except UpstreamError:
            return None
        return Sign.DRAINS if answer.body.startswith(_DRAINING) else Sign.LIVES
