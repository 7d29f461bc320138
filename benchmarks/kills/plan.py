"""The faults and their times, drawn from a seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple


class Moment(StrEnum):
    """When a fault begins: at any time, or at a critical moment."""

    ANY = "at any time"
    ENDED = "just as a vehicle has its last kWh"  # before its response has arrived
    COMMIT = "in the middle of a commit"  # at its fsync
    SEND = "as it sends"  # before a request or a response leaves


class What(StrEnum):
    """The kind of fault."""

    KILL = "kill"  # SIGKILL, then restarted
    FREEZE = "freeze"  # SIGSTOP, then SIGCONT
    CUT = "cut"  # the link forwards nothing, in both directions or in one


class Way(StrEnum):
    """The direction in which a link is cut."""

    BOTH = "both ways"
    THERE = "towards the substation's side"
    BACK = "towards the caller's side"


class Fault(NamedTuple):
    """One fault.

    Attributes:
        what: its kind.
        targets: names of parts, or of the part behind a link.
        moment: when it begins.
        hold_s: how long a target stays frozen or cut, or a killed one is down, seconds.
        nth: at which system call of its kind the target is killed, for COMMIT and SEND.
        way: direction of a cut.
        waits: whether the next fault waits until a killed target is ready again, or a frozen or cut
            one is back.
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
        """The number of parts that it kills."""
        return len(self.targets) if self.what is What.KILL else 0

    def __str__(self) -> str:
        """Return it as a log line."""
        targets = " and ".join(self.targets)
        match self.what:
            case What.KILL:
                return f"kill {targets} {self.moment}, for {self.hold_s:.1f} s"
            case What.FREEZE:
                return f"freeze {targets} for {self.hold_s:.1f} s"
            case What.CUT:
                return f"cut the link to {targets} {self.way} for {self.hold_s:.1f} s"


# Of ten faults, eight kill, one freezes, one cuts.
_KINDS = ([What.KILL] * 8) + [What.FREEZE, What.CUT]
_KILL_AWAY_S = (0.0, 1.2)
_FREEZE_S = (0.3, 4.0)
_CUT_S = (0.3, 4.0)
# Range of system calls to skip before the fatal one: there are a few charges per second, each with
# some calls.
_NTH = (1, 6)
_TWO_AT_ONCE = 0.4
# The other half strikes while the grid still recovers from the fault before.
_WAITS = 0.5


def faults(
    seed: int, *, parts: Sequence[str], committing: Sequence[str], links: Sequence[str]
) -> Iterator[Fault]:
    """Yield an endless sequence of faults; the same seed and targets give the same ones.

    Args:
        seed: seed of the draw.
        parts: parts that can be killed and frozen.
        committing: those that commit to a disk.
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
