"""Headers with which the hops tell each other on what terms a session goes on.

A substation of another make passes over them.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from grid_common.api.problems import BadRequest, FieldFault, shown

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

GRACE = "Session-Grace"
LEASE = "Session-Lease"
OWNER = "Session-Owner"
RESUMED = "Session-Resumed"
# When the gateway sent this, by a clock of its own, seconds: what comes late is no sign of life.
SENT = "Session-Sent"
# A boolean of RFC 9651: this session was forwarded before.
YES = "?1"

_MAX_S = 86_400
_SECONDS = re.compile(r"\d{1,5}(\.\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_OWNER = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


class Terms(NamedTuple):
    """On what terms a session is asked for.

    Attributes:
        grace_s: how long it goes on after the last connection that asked for it is gone, seconds;
            None for a plain session, which ends with its connection.
        owner: the balancer that leads it.
        lease_s: the owner's silence after which it ends though its connection is open, seconds.
        resumed: whether it was forwarded before.
    """

    grace_s: float | None = None
    owner: str | None = None
    lease_s: float | None = None
    resumed: bool = False


def terms(environ: "WSGIEnvironment") -> Terms:
    """Read the terms of a request.

    Raises:
        BadRequest: a header is not what it takes; each is named.
    """
    get = environ.get
    return _terms(
        get("HTTP_SESSION_GRACE"),
        get("HTTP_SESSION_OWNER"),
        get("HTTP_SESSION_LEASE"),
        get("HTTP_SESSION_RESUMED"),
    )


def owner_of(environ: "WSGIEnvironment") -> str | None:
    """Read which balancer asks, None where it does not say.

    Raises:
        BadRequest: the header is not what it takes.
    """
    return _owner(environ.get("HTTP_SESSION_OWNER"))


def sent_of(environ: "WSGIEnvironment") -> float | None:
    """Read when a gateway sent a request, by its own clock, seconds; None where it does not say.

    Raises:
        BadRequest: the header is not what it takes.
    """
    text = environ.get("HTTP_SESSION_SENT")
    if text is None:
        return None
    if not _CLOCK.fullmatch(text):
        raise BadRequest([FieldFault(SENT, f"is {shown(text)}; it takes a number of seconds")])
    return float(text)


# A balancer says the same with each charge.
@lru_cache(256)
def _terms(grace: str | None, owner: str | None, lease: str | None, resumed: str | None) -> Terms:
    return Terms(
        None if grace is None else _seconds(GRACE, grace),
        _owner(owner),
        None if lease is None else _seconds(LEASE, lease),
        resumed == YES,
    )


def _owner(owner: str | None) -> str | None:
    if owner is not None and not _OWNER.fullmatch(owner):
        takes = "1 to 64 characters of A-Z a-z 0-9 . _ : -"
        raise BadRequest([FieldFault(OWNER, f"is {shown(owner)}; it takes {takes}")])
    return owner


def _seconds(header: str, text: str) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > _MAX_S:
        takes = f"a number of seconds from 0 to {_MAX_S}, as in {header}: 300"
        raise BadRequest([FieldFault(header, f"is {shown(text)}; it takes {takes}")])
    return float(text)
