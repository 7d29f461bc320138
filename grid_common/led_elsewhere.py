"""A balancer's response about a session that it no longer leads: it says nothing of its end."""

from grid_common.api.problem_type import is_unavailable
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

__all__ = ["is_led_elsewhere", "led_elsewhere"]

# Whoever asked for it elsewhere is being answered by now, seconds.
_RETRY_AFTER_S = 1.0
_REASON = "led-elsewhere"


def led_elsewhere(session_id: str) -> Unavailable:
    """Return the response to those who wait for a session that was moved."""
    return Unavailable(
        _REASON,
        "The session was asked for again while its gateway was silent, and goes on there; ask for "
        "it again.",
        retry_after_s=_RETRY_AFTER_S,
        session_id=session_id,
    )


def is_led_elsewhere(answer: UpstreamResponse) -> bool:
    """Return whether a session goes on, and has to be asked for again."""
    return is_unavailable(_REASON, answer.status, answer.content_type, answer.body)
