"""What a vehicle that no substation took is told, in a bounded message. Pure."""

from collections.abc import Iterable, Sequence

from grid_common.shown import shown
from load_balancer.routing.substation import Health, Substation

_MAX_NAMED = 3
_LONGEST = 240
_SHOWN_BYTES = 100


def explain(
    reason: str,
    *,
    waited_s: float,
    waiting: int,
    substations: Iterable[Substation],
    failures: Sequence[str],
) -> str:
    """Tell why a vehicle is refused.

    Args:
        reason: `deadline`, `queue_full` or `rejected`.
        waited_s: how long it waited, seconds.
        waiting: how many vehicles wait.
        substations: the substations; of those that are down it is told why.
        failures: what came of its attempts, a substation each.
    """
    if reason == "rejected":
        return f"Every substation rejected this vehicle: {_listed(failures)}."
    down = _listed(
        [f"{one.name}: {one.reason}" for one in substations if one.health is Health.DOWN]
    )
    reported = {
        "deadline": f"No charging point became free within {waited_s:.1f} s.",
        "queue_full": f"{waiting} vehicles wait already; no more may.",
    }[reason]
    if failures:
        reported = f"{reported} Substations that failed it: {_listed(failures)}."
    return f"{reported} Substations that are down: {down}." if down else reported


def quoted(body: bytes) -> str:
    """Quote the first words of an answer, after a colon; nothing where it has none."""
    text = body[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    return f": {shown(text, _SHOWN_BYTES)}" if text else ""


def _listed(parts: Sequence[str]) -> str:
    named = [part if len(part) <= _LONGEST else f"{part[:_LONGEST]}…" for part in parts]
    more = [f"and {len(parts) - _MAX_NAMED} more"] if len(parts) > _MAX_NAMED else []
    return "; ".join(named[:_MAX_NAMED] + more)
