"""One balancer at one address: forwards vehicles, queries sessions, and watches its health."""

import time
from collections.abc import Callable
from functools import partial

from charge_request_service.balancers.watch import BalancerWatch, Sign
from charge_request_service.settings import Settings
from grid_common.api import session_headers
from grid_common.api.charge import Session
from grid_common.http.client import ConnectError, Upstream, UpstreamError, UpstreamResponse
from grid_common.logs import Log

# Views take a few hundred KB with thousands of substations.
_VIEW_LIMIT = 16_777_216
_DRAINING = b"draining"


class Balancer:
    """The client of one address.

    Attributes:
        url: `http://address:port`.
        watch: the balancer's health.
        last_chosen: sequence number of the last choice that took this balancer.
    """

    def __init__(
        self,
        url: str,
        host: str,
        settings: Settings,
        *,
        gateway: str,
        is_other_healthy: Callable[[str], bool],
        log: Log,
    ) -> None:
        """Create a client; nothing is connected yet.

        `host` is the value of the `Host` header: the name that resolved to the address, and the
        port. `gateway` is the name of this process, and `is_other_healthy` returns whether a
        healthy balancer other than that of the given URL exists.
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
            self._check, settings, partial(is_other_healthy, url), log.bind(balancer=url)
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
        """Forward a vehicle and wait for its response.

        The arguments are those of `Forwarder.charge`, and `is_alone`: whether no other balancer
        could lead the session.

        Raises:
            ConnectError: it was not forwarded.
            UpstreamError, BalancerLost: the balancer broke the connection, or was silent for too
            long.
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
        """Query one of its views.

        Raises:
            UpstreamError: there is no response.
        """
        return self._upstream.request(
            method,
            path,
            headers={"X-Request-ID": request_id},
            within_s=timeout_s,
            limit=_VIEW_LIMIT,
        )

    def close(self) -> None:
        """Close the connections; those with vehicles once their responses have arrived."""
        self.watch.close()
        self._upstream.close()

    @property
    def _name(self) -> str:
        """This gateway's name at that balancer; it changes after its sessions were moved away."""
        return f"{self._gateway}.{self.watch.term}"

    def _check(self) -> Sign | None:
        """Check that it is alive: any response shows that."""
        try:
            response = self._upstream.request(
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
        return Sign.DRAINS if response.body.startswith(_DRAINING) else Sign.LIVES
