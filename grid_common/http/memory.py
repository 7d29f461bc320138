"""Bounds what all connections of a process may hold together. Pure."""

from typing import Self

__all__ = ["Budget", "Share"]


class Budget:
    """So many bytes, from which holders take shares."""

    def __init__(self, most: int) -> None:
        """Begin with `most` bytes left."""
        self.left = most


class Share:
    """What one holder has of a budget; as a context manager it gives it back.

    Attributes:
        size: how much it holds, bytes.
    """

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget) -> None:
        """Begin with nothing."""
        self._budget = budget
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.resize(0)

    def resize(self, size: int) -> bool:
        """Hold `size` bytes from now on; where they are not left, hold on and return False."""
        more = size - self.size
        if more > self._budget.left:
            return False
        self._budget.left -= more
        self.size = size
        return True
