"""Evaluates the balancer's record of its choices, `GET /decisions`. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_SCORE_TOLERANCE = 1e-9
_MAX_EXAMPLES = 5
_MAX_RESTARTS = 20


@dataclass(frozen=True, slots=True)
class Imbalance:
    """The loads of the candidates just after one decision's dispatch."""

    gap: float  # between the most and the least loaded, in `unit`
    unit: str  # vehicles, or percentage points of load over capacity
    time: float  # seconds since the start of the run, by the balancer's clock
    loads: Mapping[str, tuple[int, int]]  # the most and the least loaded substation: load, capacity

    def describe(self) -> str:
        """Describe it in words."""
        ends = ", ".join(
            f"{name} {load} of {capacity}" for name, (load, capacity) in self.loads.items()
        )
        unit = self.unit.removesuffix("s") if self.gap == 1 else self.unit
        return f"{self.gap:.3g} {unit} at {self.time:.1f} s ({ends})"


@dataclass(slots=True)
class Misjudged:
    """A decision that did not choose the least-loaded candidate."""

    sequence: int
    session_id: str
    chosen: str
    chosen_score: float
    least: str
    least_score: float


@dataclass(slots=True)
class _Cursor:
    """How far one balancer's decisions have been read.

    Attributes:
        since: sequence number of the last one; each balancer has its own sequence.
        last_seen: session and time of the last one.
    """

    since: int = 0
    last_seen: tuple[object, object] | None = None

    @property
    def overlap(self) -> int:
        """The sequence number to read from: one back, so that the last one is read again."""
        return max(0, self.since - 1)

    def is_renumbered(self, decisions: Sequence[Any]) -> bool:
        """Return whether the last decision seen has changed: the balancer has restarted.

        It may already have made more decisions than before, so its `last` does not show it.
        """
        again = [
            _mark(decision)
            for decision in decisions
            if isinstance(decision, dict) and decision.get("sequence") == self.since
        ]
        return self.last_seen is not None and bool(again) and self.last_seen not in again


@dataclass(slots=True)
class DecisionRecords:
    """Collects pages of decisions and keeps what the report needs.

    `own_prefix` marks this run's vehicles; `began` is the run's start, seconds since 1970.
    """

    own_prefix: str
    began: float = 0.0
    total: int = 0
    least_loaded: int = 0
    misjudged: list[Misjudged] = field(default_factory=list)
    policies: Counter[str] = field(default_factory=Counter)
    chosen: Counter[str] = field(default_factory=Counter)
    peaks: dict[str, tuple[int, int]] = field(default_factory=dict)  # substation: load, capacity
    over_capacity: int = 0
    repeated: int = 0  # dispatches after the first of a session
    longest_wait_s: float = 0.0
    widest: Imbalance | None = None
    widest_share: Imbalance | None = None
    missed: int = 0
    restarts: int = 0
    unreadable: int = 0
    cut_off: bool = False  # the last decisions could not be read
    substations: dict[str, str] = field(default_factory=dict)  # our session: its last substation
    sessions: dict[str, set[str]] = field(default_factory=dict)  # our vehicle: its sessions
    foreign: set[str] = field(default_factory=set)  # sessions of others
    _cursors: dict[str, _Cursor] = field(default_factory=dict, init=False)  # by balancer

    def cursor(self, balancer: str = "") -> _Cursor:
        """Return a balancer's cursor; a single balancer has no name."""
        return self._cursors.setdefault(balancer, _Cursor())

    @property
    def complete(self) -> bool:
        """Whether every decision of the run was read and understood."""
        return not (self.missed or self.unreadable or self.restarts or self.cut_off)

    def describe_gaps(self) -> str:
        """Describe what was not read."""
        return (
            f"{self.missed:,} decisions missed, {self.unreadable:,} unreadable, "
            f"{self.restarts} restarts of the balancer"
            + (", and the last could not be had" if self.cut_off else "")
        )

    def absorb(self, page: Mapping[str, Any], balancer: str = "") -> bool:
        """Add a page of a balancer's decisions; return whether there may be more.

        Raises:
            ValueError: it is not a page of decisions.
        """
        last, decisions = page.get("last"), page.get("decisions")
        if not isinstance(last, int) or not isinstance(decisions, list):
            raise ValueError("/decisions answered without `last` and `decisions`")  # noqa: TRY004 - the page is wrong, not the program
        cursor = self.cursor(balancer)
        if last < cursor.since or cursor.is_renumbered(decisions):
            self.restarts += 1
            cursor.since, cursor.last_seen = 0, None
            return self.restarts < _MAX_RESTARTS
        before = cursor.since
        for decision in decisions:
            try:
                self._take(decision, cursor)
            except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError):
                self.unreadable += 1
        # A page may end before `last`: the rest comes with the next page.
        return before < cursor.since < last

    def _take(self, decision: Mapping[str, Any], cursor: _Cursor) -> None:
        sequence = decision["sequence"]
        if sequence == cursor.since and cursor.last_seen is None:
            cursor.last_seen = _mark(decision)  # from before the run, of which only `last` was read
        if sequence <= cursor.since:
            return
        self.missed += sequence - cursor.since - 1
        cursor.since, cursor.last_seen = sequence, _mark(decision)
        chosen = decision["substation"]
        candidates = [
            (str(substation["substation"]), int(substation["load"]), int(substation["capacity"]))
            for substation in decision["candidates"]
        ]
        time = datetime.fromisoformat(decision["time"]).timestamp() - self.began
        self.total += 1
        self.policies[str(decision["policy"])] += 1
        self.chosen[chosen] += 1
        self.repeated += decision["attempt"] > 1
        self.longest_wait_s = max(self.longest_wait_s, float(decision["waited_s"]))
        self._count_session(decision, chosen)
        self._judge(decision, chosen, candidates)
        self._measure(time, chosen, candidates)

    def _count_session(self, decision: Mapping[str, Any], chosen: str) -> None:
        session_id, vehicle_id = decision["session_id"], decision["vehicle_id"]
        if vehicle_id.startswith(self.own_prefix):
            self.substations[session_id] = chosen
            self.sessions.setdefault(vehicle_id, set()).add(session_id)
        else:
            self.foreign.add(session_id)

    def _judge(
        self,
        decision: Mapping[str, Any],
        chosen: str,
        candidates: Sequence[tuple[str, int, int]],
    ) -> None:
        scores = {name: (load + 1) / capacity for name, load, capacity in candidates}
        least = min(scores, key=scores.__getitem__)
        if scores[chosen] <= scores[least] + _SCORE_TOLERANCE:
            self.least_loaded += 1
        elif len(self.misjudged) < _MAX_EXAMPLES:
            names = (decision["sequence"], decision["session_id"])
            self.misjudged.append(Misjudged(*names, chosen, scores[chosen], least, scores[least]))

    def _measure(
        self, time: float, chosen: str, candidates: Sequence[tuple[str, int, int]]
    ) -> None:
        loads = {name: (load + (name == chosen), capacity) for name, load, capacity in candidates}
        load, capacity = loads[chosen]
        self.over_capacity += load > capacity
        self.peaks[chosen] = max(self.peaks.get(chosen, (0, 0)), (load, capacity))
        self.widest = _wider(self.widest, loads, time, "vehicles", lambda load, _: load)
        self.widest_share = _wider(
            self.widest_share,
            loads,
            time,
            "percentage points",  # not charging points
            lambda load, capacity: 100 * load / capacity,
        )


def _mark(decision: Mapping[str, Any]) -> tuple[object, object]:
    return decision.get("session_id"), decision.get("time")


def _wider(
    widest: Imbalance | None,
    loads: Mapping[str, tuple[int, int]],
    time: float,
    unit: str,
    measure: Callable[[int, int], float],
) -> Imbalance:
    """Return the larger imbalance: the one so far, or that of these loads."""
    measured = {name: measure(*load) for name, load in loads.items()}
    most = max(measured, key=measured.__getitem__)
    least = min(measured, key=measured.__getitem__)
    gap = measured[most] - measured[least]
    if widest is not None and gap <= widest.gap:
        return widest
    return Imbalance(gap, unit, time, {most: loads[most], least: loads[least]})
