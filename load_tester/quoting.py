"""Quotes input in messages, with bounded length. Pure."""

from collections.abc import Sequence

_MOST = 40
_MAX_NAMES = 12


def quoted(text: str) -> str:
    """Quote a text, shortened if it is long."""
    return repr(text) if len(text) <= _MOST else f"{text[:_MOST]!r}…"


def listed(names: Sequence[str]) -> str:
    """List names, comma-separated; only the first ones if there are many."""
    first = [name if len(name) <= _MOST else f"{name[:_MOST]}…" for name in names[:_MAX_NAMES]]
    left = len(names) - len(first)
    return f"{', '.join(first)} and {left:,} more" if left else ", ".join(first)
