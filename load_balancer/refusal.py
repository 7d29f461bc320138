"""Explains to a vehicle why no substation accepted it, in a bounded message. Pure."""

from collections.abc import Iterable, Sequence

from grid_common.http.shown import shown
from load_balancer.routing.health import Health
from load_balancer.routing.substation import Substation

_MAX_NAMED = 3
_MAX_LENGTH = 240
_SHOWN_BYTES = 100


def explain(
    reason: str,
    *,
    waited_s: float,
    waiting: int,
    substations: Iterable[Substation],
    failures: Sequence[str],
) -> str:
    """Return why a vehicle is refused.

    Args:
        reason: `deadline`, `queue_full` or `rejected`.
        waited_s: how long it waited, seconds.
        waiting: number of waiting vehicles.
        substations: the substations; for those that are down the reason is included.
        failures: the result of its last attempt, by substation.
    """
    if reason == "rejected":
        return f"Every substation rejected this vehicle: {_listed(failures)}."
    down = _listed(
        [f"{one.name}: {one.reason}" for one in substations if one.health is Health.DOWN]
    )
    reported = {
        "deadline": f"No charging point became free within {waited_s:.1f} s.",
        "queue_full": f"{waiting} vehicles are waiting, which is the limit.",
    }[reason]
    if failures:
        reported = f"{reported} Substations that failed it: {_listed(failures)}."
    return f"{reported} Substations that are down: {down}." if down else reported


def quoted(body: bytes) -> str:
    """Quote the beginning of a response after a colon; empty if it has no body."""
    text = body[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    return f": {shown(text, _SHOWN_BYTES)}" if text else ""


def _listed(parts: Sequence[str]) -> str:
    named = [part if len(part) <= _MAX_LENGTH else f"{part[:_MAX_LENGTH]}…" for part in parts]
    more = [f"and {len(parts) - _MAX_NAMED} more"] if len(parts) > _MAX_NAMED else []
    return "; ".join(named[:_MAX_NAMED] + more)
