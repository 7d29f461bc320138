"""Headers in which the hops tell each other the terms of a session.

Third-party substations ignore them.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from grid_common.api.identifier import ID, ID_HELP
from grid_common.api.problems import BadRequest, FieldFault
from grid_common.http.shown import shown

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GRACE = "Session-Grace"
LEASE = "Session-Lease"
OWNER = "Session-Owner"
RESUMED = "Session-Resumed"
# When the gateway sent the request, by its own monotonic clock, seconds. A delayed request does not
# count as a heartbeat.
SENT = "Session-Sent"
# A boolean of RFC 9651: this session was forwarded before.
YES = "?1"

_MAX_S = 86_400
_SECONDS = re.compile(r"\d{1,5}(\.\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


class Terms(NamedTuple):
    """The terms on which one hop asks the next for a session."""

    # How long it continues after the last connection that asked for it is gone, seconds; None for a
    # plain session, which ends with its connection.
    grace_s: float | None = None
    owner: str | None = None  # the balancer that leads it
    # How long its owner may be silent before it ends although its connection is open, seconds.
    lease_s: float | None = None
    resumed: bool = False  # whether it was forwarded before


def terms(environ: "WSGIEnvironment") -> Terms:
    """Read the terms from a request's headers.

    Raises:
        BadRequest: a header has an invalid value; each is named.
    """
    get = environ.get
    return _terms(
        get("HTTP_SESSION_GRACE"),
        get("HTTP_SESSION_OWNER"),
        get("HTTP_SESSION_LEASE"),
        get("HTTP_SESSION_RESUMED"),
    )


def owner_of(environ: "WSGIEnvironment") -> str | None:
    """Return the balancer that sent the request, or None if it does not say.

    Raises:
        BadRequest: the header has an invalid value.
    """
    return _owner(environ.get("HTTP_SESSION_OWNER"))


def sent_of(environ: "WSGIEnvironment") -> float | None:
    """Return when a gateway sent the request, by its own clock, seconds; None if it does not say.

    Raises:
        BadRequest: the header has an invalid value.
    """
    text = environ.get("HTTP_SESSION_SENT")
    if text is None:
        return None
    if not _CLOCK.fullmatch(text):
        raise BadRequest([FieldFault(SENT, f"is {shown(text)}; it takes a number of seconds")])
    return float(text)


# A balancer sends the same values with each charge.
@lru_cache(256)
def _terms(grace: str | None, owner: str | None, lease: str | None, resumed: str | None) -> Terms:
    return Terms(
        None if grace is None else _seconds(GRACE, grace),
        _owner(owner),
        None if lease is None else _seconds(LEASE, lease),
        resumed == YES,
    )


def _owner(owner: str | None) -> str | None:
    if owner is not None and not ID.fullmatch(owner):
        raise BadRequest([FieldFault(OWNER, f"is {shown(owner)}; it takes {ID_HELP}")])
    return owner


def _seconds(header: str, text: str) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > _MAX_S:
        takes = f"a number of seconds from 0 to {_MAX_S}, as in {header}: 300"
        raise BadRequest([FieldFault(header, f"is {shown(text)}; it takes {takes}")])
    return float(text)
