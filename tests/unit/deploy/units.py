"""Sizes, times and variables as Compose, Swarm and Kubernetes write them."""

import re
from collections.abc import Iterable
from typing import Any

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "Ki": 1 << 10, "Mi": 1 << 20}
_SIZES |= {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "Gi": 1 << 30}  # Docker's letters are binary
_SIZES |= {"MiB": 1 << 20}  # as Go has it
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def size_bytes(text: str | int) -> int:
    """Read a size such as `512m` or `512Mi`."""
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr] # no match is a failure
    return int(number) * _SIZES[unit]


def seconds(text: str) -> float:
    """Read a time such as `500ms` or `1m30s`."""
    parts = re.findall(r"(\d+)([a-z]+)", text)
    assert parts, text
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def with_defaults(node: Any) -> Any:
    """Put the default of each `${NAME:-default}` in its place, as where nothing is set."""
    if isinstance(node, dict):
        return {with_defaults(key): with_defaults(value) for key, value in node.items()}
    if isinstance(node, list):
        return [with_defaults(value) for value in node]
    return _VARIABLE.sub(lambda match: match[2], node) if isinstance(node, str) else node


def underscored(text: str, names: Iterable[str]) -> str:
    """Write names of services as Compose does: Kubernetes has hyphens in them."""
    for name in names:
        text = re.sub(rf"\b{name.replace('_', '-')}\b", name, text)
    return text
