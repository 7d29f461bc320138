"""Limits how many connections may hold a vehicle, so that some stay free for other requests.

Otherwise a service with a vehicle on every connection could neither show its lists nor stop a
session until a vehicle leaves.
"""

import math

from grid_common.api.problem_type import NO_CONNECTION_FREE
from grid_common.api.problems import Unavailable

# A tenth of the connections is reserved, up to this maximum.
_SHARE, _MAX_KEPT_FREE = 10, 100
_RETRY_AFTER_S = 2.0


class HeldLimit:
    """Counts a request while its block runs, and refuses those over the limit.

    Raises:
        Unavailable: on entering the block, if the limit is reached.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._held = 0
        self._most = math.inf

    def allow(self, connections: int) -> None:
        """Set the limit for a total number of connections."""
        self._most = connections - min(_MAX_KEPT_FREE, connections // _SHARE)

    def __enter__(self) -> None:
        if self._held >= self._most:
            raise Unavailable(
                NO_CONNECTION_FREE,
                f"The {self._service} holds {self._held} vehicles, as many as its connections "
                "(MAX_CONNECTIONS) allow; try again.",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._held += 1

    def __exit__(self, *_error: object) -> None:
        self._held -= 1
