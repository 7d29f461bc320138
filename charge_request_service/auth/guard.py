"""Checks requests before the app's routes: host name, API key, rate, origin of the page."""

import time

from charge_request_service.auth.hosts import Hosts, read_names
from charge_request_service.auth.key_file import KeyFile
from charge_request_service.auth.problems import Misdirected, RateLimited, Unauthorized
from charge_request_service.auth.rate import RateLimit
from charge_request_service.auth.same_origin import refuse_cross_site
from charge_request_service.settings import Settings
from grid_common.addresses import network
from grid_common.lean_flask import current_g, current_request
from grid_common.log_throttle import LogThrottle
from grid_common.service import ServiceApp

# Open to anyone: health for orchestrators, metrics for Prometheus (sums that name nobody, so that
# the scraper needs no key), the description, and the control room's page and files, which are
# public and contain no data. Everything else is guarded.
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/control-room/<name>"})
# Without a rate limit: it costs next to nothing, and an orchestrator that is refused would restart
# the process.
UNLIMITED = "/healthz"
# Methods that change nothing: the browser does not let another site's page read their response.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Guard:
    """Admits callers by API key and rate; either check may be off."""

    def __init__(self, keys: KeyFile | None, rate: RateLimit | None) -> None:
        self._keys = keys
        self._rate = rate

    def admit(self, authorization: str | None, address: str) -> str | None:
        """Admit a caller; return the name of its key, or None if keys are off.

        Raises:
            RateLimited: too many requests with this key, or from this address without one.
            Unauthorized: keys are on, and this is not a valid one.
        """
        key = _bearer(authorization)
        name = self._keys.holder(key) if self._keys is not None and key is not None else None
        if self._rate is not None:
            _spend(self._rate, f"key {name}" if name else f"address {network(address)}")
        if self._keys is not None and name is None:
            raise Unauthorized(presented=key is not None)
        return name

    def is_operator(self, name: str | None) -> bool:
        """Return whether a caller sees everybody's sessions; if keys are off, all callers do."""
        return self._keys is None or (name is not None and self._keys.is_operator(name))

    def admit_to_open(self, address: str) -> None:
        """Admit a caller to an open route: with the same rate limit, but counted separately.

        Raises:
            RateLimited: too many such requests from this address.
        """
        if self._rate is not None:
            _spend(self._rate, f"open {network(address)}")


def add_auth(app: ServiceApp, settings: Settings) -> None:
    """Guard an app's routes.

    Sets `g.caller` to the log fields that identify a request's caller, and `g.operator` to whether
    it may see and stop everybody's sessions.

    Raises:
        KeysError: the key file is invalid.
    """
    keys_file, names = settings.charge_api_keys_file, read_names(settings.allowed_hosts)
    own_name = (settings.published_host or settings.bind_host).lower()  # an address does no harm
    # A page that uses DNS rebinding has no key to send: with keys, host names need no check.
    hosts = Hosts((*names, own_name)) if names or keys_file is None else None
    guard = Guard(
        KeyFile(keys_file, app.log) if keys_file is not None else None,
        RateLimit(settings.rate_limit) if settings.rate_limit else None,
    )
    unauthorized = LogThrottle()

    @app.before_request
    def admit() -> None:
        asked, noted = current_request(), current_g()
        noted.caller, noted.operator = {}, False
        environ = asked.environ  # costs a tenth of `request.headers`
        host = environ.get("HTTP_HOST")
        if hosts is not None and not hosts.allows(host):
            raise Misdirected(host or "")
        route = asked.url_rule  # None for an unknown path, which is guarded, too
        address = environ.get("REMOTE_ADDR", "")
        if route is not None and route.rule in OPEN:
            if route.rule != UNLIMITED:
                guard.admit_to_open(address)
            return
        try:
            name = guard.admit(environ.get("HTTP_AUTHORIZATION"), address)
        except Unauthorized:
            not_logged = unauthorized.count(network(address), time.monotonic())
            if not_logged is not None:
                app.log.warning(
                    "unauthorized",
                    address=address,
                    not_logged=not_logged,
                    request_id=noted.request_id,
                )
            raise
        noted.operator = guard.is_operator(name)
        if name is not None:
            noted.caller = {"caller": name}
        if environ["REQUEST_METHOD"] not in _SAFE:
            refuse_cross_site(asked, hosts)


def _spend(rate: RateLimit, caller: str) -> None:
    wait_s = rate.spend(caller)
    if wait_s is not None:
        raise RateLimited(rate.rate, retry_after_s=wait_s)


def _bearer(authorization: str | None) -> str | None:
    """Return the key in `Authorization: Bearer KEY` (RFC 6750), or None if there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
