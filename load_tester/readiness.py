"""Finds the gateway before a run, and waits for one that is starting."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import gevent

from load_tester.client import FailureKind, Gateway, NoResponse
from load_tester.options import Options
from load_tester.pages import PageMissing, Pages

_LOOK_EVERY_S = 0.25
_PAGE_TIMEOUT_S = 2.0
_START = "start the grid with `make run` or `docker compose up --wait`, or name another gateway"
_REMEDIES = {
    FailureKind.UNTRUSTED: "name a file with its issuer's certificate in SSL_CERT_FILE, or give "
    "--url with the name in the certificate",
    FailureKind.NO_TLS: "give --url with http://, or its TLS port",
}


class GatewayUnreachable(Exception):
    """There is no gateway to send vehicles to; the message says why, with the remedy."""


class _Fault(NamedTuple):
    text: str
    remedy: str = _START
    passing: bool = True


def wait_for_gateway(options: Options, tell: Callable[[str], object]) -> Gateway:
    """Return the gateway once it can be reached and, if the options say so, is ready.

    `tell` is called with a line that says what is missing.

    Raises:
        GatewayUnreachable: it could not be reached in time.
    """
    gateway = Gateway(
        urlsplit(options.url),
        timeout=options.timeout,
        wait=options.wait,
        respond_async=options.respond_async,
        api_key=options.api_key,
    )
    # Without a wait, the run itself handles whatever it responds.
    pages = Pages(_PAGE_TIMEOUT_S) if options.wait_for_gateway else None
    deadline = time.monotonic() + options.wait_for_gateway
    reported = False
    while fault := _fault(gateway, options.url, pages):
        if not fault.passing or time.monotonic() >= deadline:
            raise GatewayUnreachable(f"--url {options.url}: {fault.text}; {fault.remedy}")
        if not reported:
            tell(f"{options.url}: {fault.text}; waiting for it\n")
            reported = True
        gevent.sleep(_LOOK_EVERY_S)
    return gateway


def _fault(gateway: Gateway, url: str, pages: Pages | None) -> _Fault | None:
    try:
        gateway.connect().close()
    except NoResponse as error:
        return _Fault(str(error), _REMEDIES.get(error.kind, _START), error.passing)
    try:
        if pages:
            pages.text(urljoin(f"{url}/", "readyz"))
    except PageMissing as error:
        # Third-party gateways may not have the page.
        return None if error.status == HTTPStatus.NOT_FOUND else _Fault(f"/readyz {error}")
    return None
