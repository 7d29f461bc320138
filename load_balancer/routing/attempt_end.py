"""What the end of an attempt does to the pool. Pure: the service and the simulation both run it."""

from typing import assert_never

from load_balancer.routing.health import Reading
from load_balancer.routing.outcome import FailoverReason, Outcome
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Dispatch


def end_attempt(
    pool: Pool,
    dispatch: Dispatch,
    outcome: Outcome,
    now: float,
    *,
    reading: Reading | None = None,
    reason: str = FailoverReason.ERROR,
    why: str = "",
    goes_on: bool = True,
    failed: bool = True,
) -> None:
    """Record how an attempt ended. The pool may dispatch waiting sessions before this returns.

    A lost substation is not among these ends: the pool learns of it by polls, and revokes its
    attempts.

    Args:
        pool: the pool that dispatched it.
        dispatch: the attempt.
        outcome: how it ended; FAILED also if there was no response.
        now: the time, seconds.
        reading: if charged, the load report in the response; None if it is not used.
        reason: if failed, the reason as it is counted; a broken connection has its own.
        why: if failed, a description.
        goes_on: if stopped, whether the session is to be charged further.
        failed: if stopped, whether its substation caused it.
    """
    match outcome:
        case Outcome.CHARGED:
            pool.completed(dispatch, now, reading)
        case Outcome.ACCEPTED:
            pool.accepted(dispatch, now)
        case Outcome.STOPPED:
            pool.stopped(dispatch, now, goes_on=goes_on, failed=failed)
        case Outcome.FULL:  # busy, not dead: no ejection, just another choice
            pool.found_full(dispatch, now)
        case Outcome.DRAINING:
            pool.found_draining(dispatch, now)
        case Outcome.REJECTED:
            pool.rejected(dispatch, now)
        case Outcome.FAILED:
            pool.failed(dispatch, reason, why, now)
        case _:
            assert_never(outcome)
