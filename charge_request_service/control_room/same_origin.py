"""Tells requests that another site's page makes a browser send from those of this page.

A page on any site can make its visitor's browser send a request to `http://localhost:8080`: the
browser refuses to show that page the answer, but the vehicles would be on their way. The body's
content type stands in the way of a plain form, yet DELETE has no body, and one lock is not two.

So the headers that a browser sets itself, and no script can, decide. `Sec-Fetch-Site` says it in
so many words; browsers without it send `Origin` with every POST and DELETE. A request with neither
comes from no browser (curl, a test): nobody's visit can be abused there. Another port of the same
host is another origin ("same-site"), and refused.
"""

from http import HTTPStatus

from flask import Request

from grid_common.problems import Problem

# "none": the user's own doing, such as a bookmark.
_OWN = frozenset({"same-origin", "none"})


class CrossSite(Problem):
    """Another site's page made the browser send this."""

    status = HTTPStatus.FORBIDDEN
    type = "urn:ev-grid:problem:cross-site"
    title = "Requests from other sites are refused"


def refuse_cross_site(request: Request) -> None:
    """Let pass what this service's own page sends, and what no browser sends.

    Raises:
        CrossSite: the request comes from another site's page.
    """
    site = request.environ.get("HTTP_SEC_FETCH_SITE")
    if site is None:
        origin = request.environ.get("HTTP_ORIGIN")
        # The scheme is left out: TLS may end in a proxy before this service.
        is_own = origin is None or origin.partition("://")[2] == request.host
        site = "none" if is_own else "cross-site"
    if site not in _OWN:
        raise CrossSite(
            "A page of another site made this browser send the request. Use the control room that "
            "this gateway serves, or send it from a program."
        )
