"""What a scene needs of a contender."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from benchmarks.simulation.demand import Vehicle


class Contender(Protocol):
    """A balancer, or a baseline in place of all of them."""

    @property
    def waiting(self) -> int:
        """Number of vehicles in the queue."""

    @property
    def full_answers(self) -> int:
        """Number of times that a substation was full after all."""

    @property
    def failovers(self) -> int:
        """Number of vehicles sent on because their substation failed."""

    def know(self, known: Iterable[tuple[str, str]]) -> None:
        """Update the addresses behind the substations' names."""

    def arrive(self, vehicle: Vehicle) -> None:
        """Accept a vehicle's request."""
