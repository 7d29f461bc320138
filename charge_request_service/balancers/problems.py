"""Error responses if no balancer responds."""

from grid_common.api.problem_type import BALANCER_LOST
from grid_common.api.problems import Unavailable

# By then a killed balancer should be back, seconds.
_RETRY_AFTER_S = 2.0


def unreachable(why: str, *, session_id: str | None = None) -> Unavailable:
    """Return the response if no balancer can be reached; `why` says what failed."""
    return Unavailable(
        "balancer-unreachable",
        f"The balancer cannot be reached ({why}).",
        retry_after_s=_RETRY_AFTER_S,
        session_id=session_id,
    )


def lost(session_id: str) -> Unavailable:
    """Return the response if the balancer fails while it has a vehicle."""
    return Unavailable(
        BALANCER_LOST,
        "The balancer closed the connection, or fell silent, while this vehicle was in flight; if "
        "it was charging, it was stopped.",
        retry_after_s=_RETRY_AFTER_S,
        session_id=session_id,
    )
