"""Stands before the app's routes: which name was called, who calls, how often, from which page."""

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

# What anyone may ask for: health for those who restart this process, metrics for Prometheus (sums
# that name nobody, read by what need not hold a key), the description, and the control room's page
# and files, which are public and hold no data. All else is guarded.
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/control-room/<name>"})
# And as often as they like: it costs next to nothing, and a limit would have the process restarted.
UNLIMITED = "/healthz"
# Methods that change nothing: what they answer, the browser shows no other site's page.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Guard:
    """Lets callers in by their keys and within their rate; either may be off."""

    def __init__(self, keys: KeyFile | None, rate: RateLimit | None) -> None:
        self._keys = keys
        self._rate = rate

    def admit(self, authorization: str | None, address: str) -> str | None:
        """Let a caller in; return the name of its key, None where none is needed.

        Args:
            authorization: the header of this name.
            address: the caller's, which is limited where no key names the caller.

        Raises:
            RateLimited: too many requests with this key, or without one from this address.
            Unauthorized: keys are needed, and this is none.
        """
        key = _bearer(authorization)
        name = self._keys.holder(key) if self._keys is not None and key is not None else None
        if self._rate is not None:
            _spend(self._rate, f"key {name}" if name else f"address {network(address)}")
        if self._keys is not None and name is None:
            raise Unauthorized(presented=key is not None)
        return name

    def is_operator(self, name: str | None) -> bool:
        """Tell whether a caller of that name sees everybody's sessions: without keys any does."""
        return self._keys is None or (name is not None and self._keys.is_operator(name))

    def admit_to_open(self, address: str) -> None:
        """Let a caller in to what needs no key: within the rate too, but counted apart.

        Raises:
            RateLimited: too many such requests from this address.
        """
        if self._rate is not None:
            _spend(self._rate, f"open {network(address)}")


def add_auth(app: ServiceApp, settings: Settings) -> None:
    """Guard an app's routes.

    `g.caller` is then what a log line tells of a request's caller, `g.operator` whether it sees,
    and may stop, everybody's sessions.

    Raises:
        KeysError: the file of keys cannot be used.
    """
    keys_file, names = settings.charge_api_keys_file, read_names(settings.allowed_hosts)
    own_name = (settings.published_host or settings.bind_host).lower()  # or an address: no matter
    # A page that rebinds a name has no key to send: with keys, names need no list.
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
        environ = asked.environ  # a tenth of what `request.headers` costs
        host = environ.get("HTTP_HOST")
        if hosts is not None and not hosts.allows(host):
            raise Misdirected(host or "")
        route = asked.url_rule  # None where there is none: guarded, as all that is not named open
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
    """Return the key in `Authorization: Bearer KEY` (RFC 6750), None where there is none."""
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None
