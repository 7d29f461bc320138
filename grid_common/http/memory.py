"""Limits the memory that all connections of a process use together. Pure."""

from typing import Self


class Budget:
    """A number of bytes that holders share."""

    def __init__(self, most: int) -> None:
        self.left = most


class Share:
    """One holder's part of a budget; as a context manager it returns its part at the end.

    Attributes:
        size: how much it holds, bytes.
    """

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.resize(0)

    def resize(self, size: int) -> bool:
        """Change the share to `size` bytes; if the budget has too little left, return False."""
        more = size - self.size
        if more > self._budget.left:
            return False
        self._budget.left -= more
        self.size = size
        return True
