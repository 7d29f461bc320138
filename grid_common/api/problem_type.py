"""Names of problem types (RFC 9457), and how one is read from an answer. Pure."""

from typing import Any

import orjson

CONTENT_TYPE = "application/problem+json"


def unavailable_type(reason: str) -> str:
    """Name the problem type of an answer 503 with this reason."""
    return f"urn:ev-grid:problem:{reason}"


def problem_type(content_type: str, body: bytes) -> str | None:
    """Read the type of a problem document; None if the answer is no such document.

    The `type` member alone counts: any other may quote what a caller sent.
    """
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        return None
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    value = document.get("type") if isinstance(document, dict) else None
    return value if isinstance(value, str) else None
