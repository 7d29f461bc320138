"""What becomes of a session at each step of its wait in the queue.

Pure: the service and the simulation both run it.
"""

from enum import StrEnum

from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import QueuedSession


class Refusal(StrEnum):
    """Why a session is refused."""

    DEADLINE = "deadline"  # no point became free in time
    QUEUE_FULL = "queue_full"  # as many sessions wait as may
    REJECTED = "rejected"  # every substation rejected it


def step(
    pool: Pool, queued: QueuedSession, now: float, *, extension_s: float | None = None
) -> Refusal | None:
    """Take the next step of a session that waits for its dispatch.

    It is refused, dispatched by the last call at its deadline, or waits until `queued.deadline`.
    The next step is due then, and when it is back in the queue after an attempt.

    Args:
        pool: the pool in which it waits.
        queued: the session; not dispatched.
        now: the time, seconds.
        extension_s: how much longer it waits where it would be refused at its deadline; None
            refuses it.
    """
    if pool.is_rejected_everywhere(queued):
        return Refusal.REJECTED
    if now < queued.deadline:
        return None
    pool.last_call(queued, now)
    if queued.dispatch is not None:
        return None
    if extension_s is None:
        return Refusal.DEADLINE
    queued.deadline = now + extension_s
    return None
