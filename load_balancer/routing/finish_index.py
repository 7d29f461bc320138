"""Many substations by how soon a vehicle can be charged there, so that most need no look. Pure.

Substations at which nobody is held back cost a vehicle what it takes there by itself: those with
equal points stand in **tiers**, in the order of their load. The others stand in **cells** of those
that are much alike, in the order of the energy that they have left to deliver.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace

from load_balancer.routing.cells import Cell, Energy, Kind, Tier, part_of_octave
from load_balancer.routing.finish_search import Rank, Search
from load_balancer.routing.policy import Option, Request
from load_balancer.routing.substation import Substation


class FinishIndex:
    """The substations that can be predicted for, each as it was when it was put here."""

    def __init__(self) -> None:
        # How long a substation stands where it was put, while its energy falls, seconds.
        self.valid_s = 0.0
        self._tiers: dict[Tier, list[Rank]] = {}
        self._cells: dict[Kind, Cell] = {}
        self._in_tier: dict[Substation, tuple[Tier, Rank]] = {}
        self._in_cell: dict[Substation, tuple[Kind, Energy, float]] = {}  # and until when
        # one for each substation that is or was in a cell
        self._due: list[tuple[float, int, Substation]] = []
        self._has_due: set[Substation] = set()

    def put(self, rank: Rank, now: float) -> None:
        """Put a substation in, or where it belongs now.

        One that does not publish its power is left.
        """
        self.take_out(rank[-1])
        *_, order, substation = rank
        energy, sessions, capacity = substation.energy, substation.known_load, substation.capacity
        if energy is None:
            return
        until = now + self.valid_s
        supply = energy.supply(sessions, until)
        point_power_kw, limit_kw = supply.point_power_kw, supply.limit_kw
        is_held_back = sessions and limit_kw - supply.committed_kw < point_power_kw
        if sessions < capacity and not is_held_back:
            tier = point_power_kw, supply.hours_per_s, min(limit_kw, point_power_kw)
            insort(self._tiers.setdefault(tier, []), rank)
            self._in_tier[substation] = tier, rank
            return
        each_kw = min(supply.committed_kw / sessions, point_power_kw)
        kind = Kind(
            point_power_kw,
            supply.hours_per_s,
            capacity,
            substation.load,
            sessions,
            part_of_octave(limit_kw),
            part_of_octave(each_kw),
        )
        left = supply.remaining_kwh, order, substation
        cell = self._cells.get(kind)
        if cell is None:
            cell = self._cells[kind] = Cell(kind)
        cell.add(left, limit_kw, each_kw)
        self._in_cell[substation] = kind, left, until
        if substation not in self._has_due:
            self._has_due.add(substation)
            heappush(self._due, (until, order, substation))

    def take_out(self, substation: Substation) -> None:
        """Take a substation out, if it is here."""
        in_tier = self._in_tier.pop(substation, None)
        if in_tier is not None:
            tier, rank = in_tier
            ranks = self._tiers[tier]
            del ranks[bisect_left(ranks, rank)]
            if not ranks:
                del self._tiers[tier]
        in_cell = self._in_cell.pop(substation, None)
        if in_cell is not None:
            kind, left, _ = in_cell
            cell = self._cells[kind]
            cell.remove(left)
            if not cell:
                del self._cells[kind]

    def due(self, now: float) -> list[Substation]:
        """Return those that do not stand any more where they belong: time has passed."""
        due = []
        while self._due and self._due[0][0] < now:
            _, order, substation = self._due[0]
            in_cell = self._in_cell.get(substation)
            if in_cell is not None and in_cell[-1] >= now:
                heapreplace(self._due, (in_cell[-1], order, substation))
                continue
            heappop(self._due)
            self._has_due.discard(substation)
            if in_cell is not None:
                due.append(substation)
        return due

    def options(
        self, request: Request, option_of: Callable[[Substation], Option | None]
    ) -> list[Option]:
        """List the options of a vehicle that may be among the best two, or equal to them.

        Args:
            request: the vehicle's.
            option_of: how a substation stands now; None where the vehicle cannot go there.
        """
        search = Search(request, option_of)
        for tier, ranks in self._tiers.items():
            search.look_at_first(tier, ranks)
        search.look_into(self._cells.values())
        return search.found()
