"""The faults and their times, drawn from a seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

What = Literal["kill", "freeze", "restart", "slow", "cut"]

# How long each fault lasts, seconds. The balancer gives up a substation after more than 2 s.
HOLD_S: dict[What, tuple[float, float]] = {
    "kill": (0.5, 4.0),
    "freeze": (0.5, 5.0),
    "restart": (0.0, 0.0),
    "slow": (3.0, 8.0),
    "cut": (0.5, 5.0),
}
_OF_LINKS = ("slow", "cut")
# Share of the run in which the steadfast parts are killed and restarted: early enough that their
# bounded memory (such as the last 4096 decisions) is full by the second half.
_HARSH_SHARE = 0.2
# Time from the last fault to the last vehicle, so that the run ends in a recovered state, seconds.
_CALM_S = 10.0


@dataclass(frozen=True, slots=True)
class Injection:
    """A planned fault. `target` is a part's name; a link is named by the substation at its end."""

    at_s: float
    what: What
    target: str
    hold_s: float

    def __str__(self) -> str:
        """Return it as a log line."""
        target = f"the link to {self.target}" if self.what in _OF_LINKS else self.target
        return f"{self.what} {target}" + (f" for {self.hold_s:.1f} s" if self.hold_s else "")


def plan(
    duration_s: float,
    every_s: float,
    seed: int,
    *,
    substations: Sequence[str],
    proxies: Sequence[str],
    steadfast: Sequence[str],
) -> list[Injection]:
    """Draw the faults of a run.

    In the first fifth of the run the steadfast parts are killed and restarted. All other faults
    follow in random order, each kind equally often for each target.

    Args:
        duration_s: how long vehicles arrive.
        every_s: time between faults, seconds.
        seed: the same seed gives the same faults.
        substations: names of the substations.
        proxies: names of the other parts.
        steadfast: parts that then live until the end, so that their memory can be tracked.
    """
    rng = random.Random(f"soak/{seed}")
    every: list[tuple[What, str]] = [
        (what, target)
        for what in HOLD_S
        for target in (substations if what in _OF_LINKS else (*proxies, *substations))
    ]
    harsh = [one for one in every if one[0] in ("kill", "restart") and one[1] in steadfast]
    first, later = _deal(harsh, rng), _deal([one for one in every if one not in harsh], rng)
    injections = []
    for number in range(1, int((duration_s - _CALM_S) / every_s) + 1):
        at_s = number * every_s
        what, target = next(first if at_s <= duration_s * _HARSH_SHARE else later)
        injections.append(Injection(at_s, what, target, round(rng.uniform(*HOLD_S[what]), 1)))
    return injections


def _deal(deck: Sequence[tuple[What, str]], rng: random.Random) -> Iterator[tuple[What, str]]:
    while True:
        yield from rng.sample(deck, len(deck))
