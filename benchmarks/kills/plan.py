"""Which part dies when, drawn from a seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple


class Moment(StrEnum):
    """When a fault begins: at any time, or when it does most harm."""

    ANY = "at any time"
    ENDED = "just as a vehicle has its last kWh"  # before its answer has gone all the way
    COMMIT = "in the middle of a commit"  # at its fsync
    SEND = "as it sends"  # before a forward, or an answer, leaves


class What(StrEnum):
    """What happens to its targets."""

    KILL = "kill"  # SIGKILL, then started again
    FREEZE = "freeze"  # SIGSTOP, then SIGCONT
    CUT = "cut"  # the link passes nothing on, both ways or one way


class Way(StrEnum):
    """Which direction of a link is cut."""

    BOTH = "both ways"
    THERE = "towards the substation's side"
    BACK = "towards the caller's side"


class Fault(NamedTuple):
    """One fault.

    Attributes:
        what: happens.
        targets: names of parts, or of the link to a part.
        moment: when it begins.
        hold_s: how long a frozen or cut target stays so, or a killed one away, seconds.
        nth: at which system call of its kind the target dies, for COMMIT and SEND.
        way: of a cut.
        waits: whether the next fault waits until what was killed is ready again, or what was
            frozen or cut is back.
    """

    what: What
    targets: tuple[str, ...]
    moment: Moment
    hold_s: float
    nth: int = 1
    way: Way = Way.BOTH
    waits: bool = True

    @property
    def kills(self) -> int:
        """How many parts it kills."""
        return len(self.targets) if self.what is What.KILL else 0

    def __str__(self) -> str:
        """Tell it as a line of a log."""
        targets = " and ".join(self.targets)
        match self.what:
            case What.KILL:
                return f"kill {targets} {self.moment}, for {self.hold_s:.1f} s"
            case What.FREEZE:
                return f"freeze {targets} for {self.hold_s:.1f} s"
            case What.CUT:
                return f"cut the link to {targets} {self.way} for {self.hold_s:.1f} s"


# Shares of the faults: of ten, eight kill, one freezes, one cuts.
_KINDS = ([What.KILL] * 8) + [What.FREEZE, What.CUT]
_KILL_AWAY_S = (0.0, 1.2)
_FREEZE_S = (0.3, 4.0)
_CUT_S = (0.3, 4.0)
# System calls to let pass before the deadly one: charges are a few a second, each has some.
_NTH = (1, 6)
_TWO_AT_ONCE = 0.4
# The others strike while the one before them is still being recovered from.
_WAITS = 0.5


def faults(
    seed: int, *, parts: Sequence[str], committing: Sequence[str], links: Sequence[str]
) -> Iterator[Fault]:
    """Yield faults without end; the same seed and targets give the same ones.

    Args:
        seed: of the draw.
        parts: what can be killed and frozen.
        committing: those of the parts that commit to a disk.
        links: parts whose link can be cut.
    """
    rng = random.Random(f"kills/{seed}")
    while True:
        kinds = rng.sample(_KINDS, len(_KINDS))
        for what in kinds:
            yield _fault(what, rng, parts, committing, links)


def _fault(
    what: What,
    rng: random.Random,
    parts: Sequence[str],
    committing: Sequence[str],
    links: Sequence[str],
) -> Fault:
    if what is What.CUT:
        way = rng.choice(list(Way))
        hold_s, waits = rng.uniform(*_CUT_S), rng.random() < _WAITS
        return Fault(what, (rng.choice(links),), Moment.ANY, hold_s, way=way, waits=waits)
    if what is What.FREEZE:
        hold_s, waits = rng.uniform(*_FREEZE_S), rng.random() < _WAITS
        return Fault(what, (rng.choice(parts),), Moment.ANY, hold_s, waits=waits)
    away_s = rng.uniform(*_KILL_AWAY_S)
    if rng.random() < _TWO_AT_ONCE:
        moment = rng.choice([Moment.ANY, Moment.ENDED])
        two = tuple(rng.sample(parts, 2))
        return Fault(what, two, moment, away_s, waits=rng.random() < _WAITS)
    moment = rng.choice(list(Moment))
    target = rng.choice(committing if moment is Moment.COMMIT else parts)
    nth, waits = rng.randint(*_NTH), rng.random() < _WAITS
    return Fault(what, (target,), moment, away_s, nth=nth, waits=waits)
