"""Problem types (RFC 9457): their names, and how to read one from a response. Pure."""

from typing import Any

import orjson

from grid_common.http.response import UpstreamResponse

CONTENT_TYPE = "application/problem+json"
# Reasons of a 503 that are acted on elsewhere. Others are declared where they are raised.
BALANCER_LOST = "balancer-lost"  # the vehicle may have been charged
DRAINING = "draining"
NO_CONNECTION_FREE = "connections"
# The session continues at another balancer and must be requested again. An older gateway knows this
# name; it is documented, too.
SESSION_MOVED = "led-elsewhere"


def unavailable_type(reason: str) -> str:
    """Return the problem type of a 503 response with this reason."""
    return f"urn:ev-grid:problem:{reason}"


def problem_type(content_type: str, body: bytes) -> str | None:
    """Return the type of a problem document, or None if the response is not one.

    Only the `type` member is read: any other member may quote a caller's input.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        return None
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    value = document.get("type") if isinstance(document, dict) else None
    return value if isinstance(value, str) else None


def is_unavailable(reason: str, status: int, content_type: str, body: bytes) -> bool:
    """Return whether a response is a 503 with this reason."""
    return status == 503 and problem_type(content_type, body) == unavailable_type(reason)


def is_refused(response: UpstreamResponse, reason: str) -> bool:
    """Return whether a service refused a vehicle with this reason."""
    return is_unavailable(reason, response.status, response.content_type, response.body)
