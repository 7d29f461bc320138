"""A balancer's response about a session that moved to another balancer and continues there."""

from grid_common.api.problem_type import is_unavailable
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

# By then the caller's new request at the other balancer is being answered, seconds.
_RETRY_AFTER_S = 1.0
# An older gateway knows this name; it is documented, too.
_REASON = "led-elsewhere"


def session_moved(session_id: str) -> Unavailable:
    """Return the response to those who wait for a session that moved."""
    return Unavailable(
        _REASON,
        "The session moved to another balancer while its gateway was silent, and continues there; "
        "request it again.",
        retry_after_s=_RETRY_AFTER_S,
        session_id=session_id,
    )


def says_session_moved(answer: UpstreamResponse) -> bool:
    """Return whether the session continues elsewhere and must be requested again."""
    return is_unavailable(_REASON, answer.status, answer.content_type, answer.body)
