"""Rejects requests that a page of another site makes a browser send.

A page on any site can make its visitor's browser send a request to `http://localhost:8080`. The
browser does not let that page read the response, but the vehicles would be on their way.

Headers that only the browser itself can set decide. `Sec-Fetch-Site` says it explicitly. Browsers
without it, and all browsers if the host is reached without TLS, send `Origin` with every POST and
DELETE. A request with neither comes from no browser (curl, a test), so there is no visit that could
be abused. Another port of the same host is another origin ("same-site"), and is refused.

`Origin` is this page's if it equals the `Host` of the request. A proxy may have changed `Host`, as
nginx does by default. Then two conditions together show it. First, the browser asks for permission
(CORS) before it sends for another origin what no form can (a method other than POST, a JSON body),
and no service here ever grants it: so a page of this gateway sent the request. Second, `Origin` is
a name of this gateway: so no page had its own name resolve to it (see `hosts.py`).
"""

from http import HTTPStatus

from flask import Request

from charge_request_service.auth.hosts import Hosts
from grid_common.api.json_body import is_json
from grid_common.api.problems import Problem
from grid_common.http.shown import shown_name

# "none": started by the user, for example from a bookmark.
_OWN = frozenset({"same-origin", "none"})


class CrossSite(Problem):
    """A page of another site made the browser send this."""

    status = HTTPStatus.FORBIDDEN
    type = "urn:ev-grid:problem:cross-site"
    title = "Requests from other sites are refused"


def refuse_cross_site(request: Request, hosts: Hosts | None) -> None:
    """Refuse a request that changes something and comes from another site's page.

    Requests of this service's own page pass, and so do those that no browser sends. Without
    `hosts`, any name is this gateway's.

    Raises:
        CrossSite: the request comes from another site's page.
    """
    site = request.environ.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        if site not in _OWN:
            raise CrossSite(
                "A page of another site made this browser send the request. Use the control room "
                "that this gateway serves, or send it from a program."
            )
        return
    origin = request.environ.get("HTTP_ORIGIN")
    if origin is not None and not _is_own(origin, request, hosts):
        raise CrossSite(
            f"The browser says that a page of {shown_name(origin, 80) or 'no site'} sent the "
            f"request, which came to {shown_name(request.host, 80)}. If both are this gateway, "
            "configure the proxy in between to pass `Host` unchanged, or list the page's name in "
            "the gateway's setting ALLOWED_HOSTS and send a JSON body."
        )


def _is_own(origin: str, request: Request, hosts: Hosts | None) -> bool:
    # The scheme is not compared: a proxy may terminate TLS before this service.
    scheme, _, host = origin.partition("://")
    if scheme not in ("http", "https"):
        return False  # for example "null", from a sandboxed frame or a local file
    if host == request.host:
        return True
    sent_with_leave = request.method != "POST" or is_json(request.environ)
    return sent_with_leave and (hosts is None or hosts.allows(host))
