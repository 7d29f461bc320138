"""Reads numbers in input, and quotes input in messages with bounded length. Pure."""

import math
import re
from collections.abc import Sequence

_MOST = 40
_MAX_NAMES = 12
# float() accepts more: digits with underscores, digits of other scripts, "nan".
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


def quoted(text: str) -> str:
    """Quote a text, shortened if it is long."""
    return repr(text) if len(text) <= _MOST else f"{text[:_MOST]!r}…"


def listed(names: Sequence[str]) -> str:
    """List names, comma-separated; only the first ones if there are many."""
    first = [name if len(name) <= _MOST else f"{name[:_MOST]}…" for name in names[:_MAX_NAMES]]
    left = len(names) - len(first)
    return f"{', '.join(first)} and {left:,} more" if left else ", ".join(first)


def plain_number(text: str) -> float | None:
    """Parse an ordinary finite number; None if it is not one."""
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def count_of(count: int, noun: str) -> str:
    """Return the number with its noun, singular or plural."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
