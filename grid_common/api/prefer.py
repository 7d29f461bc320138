"""The `Prefer` header (RFC 7240): how long a caller will wait, and whether it waits at all."""

import re

from flask import Request

from grid_common.api.problems import BadRequest, FieldFault

# RFC 7240 allows whole seconds only; the grid's own hops also send fractions.
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def prefers_async(header: str | None) -> bool:
    """Return whether the header contains `respond-async`."""
    return header is not None and any(
        preference.partition(";")[0].strip().lower() == "respond-async"
        for preference in header.split(",")
    )


def wait_s(request: Request, longest_s: float) -> float:
    """Return the wait that the caller prefers, seconds; at most `longest_s`.

    Raises:
        BadRequest: the preference is not a number of seconds.
    """
    header = request.environ.get("HTTP_PREFER")
    # Split, not searched: a regular expression over a hostile header can take minutes.
    for preference in header.split(",") if header else ():
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            return min(_seconds(value.strip().strip('"').strip()), longest_s)
    return longest_s


def _seconds(value: str) -> float:
    if not _SECONDS.fullmatch(value):
        raise BadRequest(
            [FieldFault("Prefer", f"wait={value[:20]!r}: it takes seconds, as in wait=30")]
        )
    return float(value)
