"""Error messages for unknown paths and for methods that a path does not take."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map

from grid_common.http.shown import shown_name

_DESCRIBED = "GET /openapi.json describes every path."
# Methods that Flask adds by itself.
_IMPLIED = frozenset({"HEAD", "OPTIONS"})
# Longer paths get no suggestion: comparison takes quadratic time.
_LONGEST = 64
_LIKENESS = 0.7


def explain(error: HTTPException, method: str, path: str, routes: Map) -> str:
    """Return the message for one of Flask's own errors, with the nearest valid path or method."""
    if isinstance(error, MethodNotAllowed):
        right = _with_methods(shown_name(path), error.valid_methods or ())
        return f"{shown_name(path)} does not take {shown_name(method)}. Use {right}. {_DESCRIBED}"
    # A view that aborts gives its own description.
    if isinstance(error, NotFound) and error.description == NotFound.description:
        known = _known(routes)
        near = nearest(path, known)
        advice = (
            f"Did you mean {_with_methods(near, known[near])}?"
            if near
            else f"There are {'; '.join(_with_methods(*one) for one in known.items())}."
        )
        return f"There is no {shown_name(path)} here. {advice} {_DESCRIBED}"
    return error.description or ""


def nearest(path: str, known: Collection[str]) -> str | None:
    """Return the known path that is nearest to another one, or None if none is close.

    A part of the other path may match, as in `/api/v1/charges`.
    """
    parts = re.split(r"/+", path[:_LONGEST].lower())
    words = {_folded(word) for part in parts for word in (part, *re.split(r"[^a-z0-9]+", part))}
    likeness, near = max(
        (
            (SequenceMatcher(None, word, _folded(one)).ratio(), one)
            for word in words - {""}
            for one in known
        ),
        default=(0.0, None),
    )
    return near if likeness >= _LIKENESS else None


def _folded(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", path.lower())


def _known(routes: Map) -> dict[str, set[str]]:
    """Return the paths without variables, with the methods that each takes."""
    known: dict[str, set[str]] = defaultdict(set)
    for rule in routes.iter_rules():
        if not rule.arguments:
            known[rule.rule] |= rule.methods or set()
    return known


def _with_methods(path: str, methods: Iterable[str]) -> str:
    *others, last = sorted(set(methods) - _IMPLIED)
    return f"{', '.join(others)} or {last} {path}" if others else f"{last} {path}"
