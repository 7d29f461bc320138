"""Grafana's own schema, from its foundation SDK, held against a dashboard's JSON.

The SDK reads JSON without complaint: what it does not know it drops, what is of the wrong type it
keeps. So a dashboard is sent through it and back, to find what was dropped, and each value that
arrived is held against the type that the SDK declares for it.
"""

import enum
import json
import typing
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.models.dashboard import Dashboard


def faults(document: dict[str, Any]) -> list[str]:
    """List what Grafana's schema finds wrong with a dashboard."""
    register_default_plugins()
    dashboard = Dashboard.from_json(document)
    return [
        *_lost(document, _as_json(dashboard)),
        *_mistyped_fields(dashboard, ""),
        *(
            f"{panel.title}: the data source's queries are unknown to the schema"
            for panel in dashboard.panels or []
            for target in getattr(panel, "targets", None) or []
            if isinstance(target, UnknownDataquery)
        ),
    ]


def _as_json(model: Any) -> Any:
    return json.loads(json.dumps(model, cls=JSONEncoder))


def _lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the path of everything that did not survive the way through Grafana's schema."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is unknown to the schema"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"


def _mistyped_fields(model: Any, path: str) -> Iterator[str]:
    """Yield the path of every field whose value is not of its declared type."""
    for name, hint in typing.get_type_hints(type(model)).items():
        yield from _mistyped(getattr(model, name), hint, f"{path}.{name}")


def _mistyped(value: Any, hint: Any, path: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        if hasattr(value, "from_json"):  # options, whose type depends on the panel's
            yield from _mistyped_fields(value, path)
    elif origin in (Union, UnionType):
        wrong = [list(_mistyped(value, arm, path)) for arm in arguments]
        if all(wrong):
            yield from max(wrong, key=len)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mistyped(item, arguments[0], f"{path}[{index}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _mistyped(item, arguments[1], f"{path}.{key}")
    else:
        yield from _mistyped_plain(value, hint, path)


def _mistyped_plain(value: Any, hint: Any, path: str) -> Iterator[str]:
    allowed = None
    if typing.get_origin(hint) is Literal:
        allowed = typing.get_args(hint)
    elif isinstance(hint, enum.EnumType):
        members: list[enum.Enum] = list(hint)
        allowed = tuple(member.value for member in members)
    if allowed is not None:
        right = value in allowed
    elif hint in (str, int, float, bool, NoneType):
        numbers = (int, float) if hint is float else hint
        right = isinstance(value, numbers) and isinstance(value, bool) == (hint is bool)
    elif isinstance(value, dict) and hasattr(hint, "from_json"):  # a part the SDK leaves unread
        model, right = hint.from_json(value), True
        yield from _lost(value, _as_json(model), path)
        yield from _mistyped_fields(model, path)
    else:
        right = isinstance(hint, type) and isinstance(value, hint)
        if right:
            yield from _mistyped_fields(value, path)
    if not right:
        yield f"{path}: {value!r} is none of {allowed or hint}"
