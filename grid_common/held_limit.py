"""How many connections may hold a vehicle: some stay free for what holds none.

Else a service whose every connection has a vehicle shows none of its lists, and stops nobody, until
one leaves.
"""

import math

from grid_common.api.problem_type import problem_type, unavailable_type
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

__all__ = ["HeldLimit", "has_no_connection_free"]

# Of all connections a tenth is kept free, and so many at most.
_SHARE, _MAX_KEPT_FREE = 10, 100
_RETRY_AFTER_S = 2.0
_REASON = "connections"
_TYPE = unavailable_type(_REASON)


def has_no_connection_free(answer: UpstreamResponse) -> bool:
    """Tell whether a service refused a vehicle because its connections are taken."""
    return answer.status == 503 and problem_type(answer.content_type, answer.body) == _TYPE


class HeldLimit:
    """Counts the requests that hold a vehicle, and refuses one too many."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._held = 0
        self._most = math.inf

    def allow(self, connections: int) -> None:
        """Have a limit that goes with so many connections in all."""
        self._most = connections - min(_MAX_KEPT_FREE, connections // _SHARE)

    def take(self) -> None:
        """Count one more.

        Raises:
            Unavailable: that would be one too many.
        """
        if self._held >= self._most:
            raise Unavailable(
                _REASON,
                f"The {self._service} holds {self._held} vehicles, as many as its connections "
                "(MAX_CONNECTIONS) allow; try again.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._held += 1

    def leave(self) -> None:
        """Count one less."""
        self._held -= 1
