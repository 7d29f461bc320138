"""The `Prefer: wait=N` header (RFC 7240): how long a caller is ready to wait."""

import re

from flask import Request

from grid_common.problems import BadRequest, Fault

_WAIT = re.compile(r'(?:^|,)\s*wait\s*(?:=\s*"?([^",;]*)"?)?\s*(?=[,;]|$)', re.IGNORECASE)


def wait_s(request: Request, longest_s: float) -> float:
    """Return how long to wait: what the caller prefers, `longest_s` at most.

    Raises:
        BadRequest: the preference is no number of seconds.
    """
    header = request.headers.get("Prefer")
    match = _WAIT.search(header) if header else None
    if match is None:
        return longest_s
    value = (match[1] or "").strip()
    # RFC 7240 has whole seconds; the grid's own hops also tell each other parts of one.
    if not re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value, re.ASCII):
        raise BadRequest([Fault("Prefer", f"wait={value[:20]!r}: it takes seconds, as in wait=30")])
    return min(float(value), longest_s)
