"""Tells requests that another site's page makes a browser send from those of this page.

A page on any site can make its visitor's browser send a request to `http://localhost:8080`: the
browser refuses to show that page the answer, but the vehicles would be on their way.

The headers that a browser sets itself, and no script can, decide. `Sec-Fetch-Site` says it in so
many words; browsers without it, and all browsers where a name is reached without TLS, send `Origin`
with every POST and DELETE. A request with neither comes from no browser (curl, a test): nobody's
visit can be abused there. Another port of the same host is another origin ("same-site"), and
refused.

`Origin` is this page's where it is the `Host` that was asked. A proxy may have changed `Host`, as
nginx does unless it is told otherwise. Then two things together show it. The browser asks before it
sends what no form can (another method than POST, a body of JSON) for the page of another origin
(CORS), and no service here ever says yes: so a page of this gateway sent it. And `Origin` is a name
that the gateway goes by: so no page had its own name lead here (see `hosts.py`).
"""

from http import HTTPStatus

from flask import Request

from charge_request_service.auth.hosts import Hosts
from grid_common.api.json_body import is_json
from grid_common.api.problems import Problem, shown_name

# "none": the user's own doing, such as a bookmark.
_OWN = frozenset({"same-origin", "none"})


class CrossSite(Problem):
    """Another site's page made the browser send this."""

    status = HTTPStatus.FORBIDDEN
    type = "urn:ev-grid:problem:cross-site"
    title = "Requests from other sites are refused"


def refuse_cross_site(request: Request, hosts: Hosts | None) -> None:
    """Let pass what this service's own page sends, and what no browser sends.

    Args:
        request: one that changes something.
        hosts: the names that the gateway goes by, None for any.

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
            "let the proxy in between pass `Host` on as it came, or list the page's name in the "
            "gateway's setting ALLOWED_HOSTS and send a body of JSON."
        )


def _is_own(origin: str, request: Request, hosts: Hosts | None) -> bool:
    # The scheme is not compared: TLS may end in a proxy before this service.
    scheme, _, host = origin.partition("://")
    if scheme not in ("http", "https"):
        return False  # such as "null", a sandboxed frame's or a local file's
    if host == request.host:
        return True
    sent_with_leave = request.method != "POST" or is_json(request.environ)
    return sent_with_leave and (hosts is None or hosts.allows(host))
