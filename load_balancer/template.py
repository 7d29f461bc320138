"""Templates: JSON, or a path, whose texts contain `{vehicle_id}` and similar placeholders. Pure."""

import math
from string import Formatter
from typing import Any

from grid_common.api.charge import Session

# Computed from the charging power of a vehicle.
FROM_POWER = frozenset({"kw", "minutes", "seconds"})
# Not every vehicle gives these; a member with only such a placeholder is then omitted.
OPTIONAL = frozenset({"max_power_kw", "battery_kwh", "soc"})
FIELDS = ("vehicle_id", "session_id", "kwh", "wh", *sorted(FROM_POWER), *sorted(OPTIONAL))
_LEFT_OUT = object()


def values_of(session: Session, vehicle_kw: float | None) -> dict[str, Any]:
    """Return the values of placeholders; whole numbers as integers, None if unknown."""
    values: dict[str, Any] = {
        **session._asdict(),
        "wh": round(session.kwh * 1000),
        **dict.fromkeys(FROM_POWER),
    }
    if vehicle_kw is not None:
        kw = min(vehicle_kw, session.max_power_kw or math.inf)
        # Rounded up, so that the vehicle gets its energy, but not because of a rounding error.
        seconds = math.ceil(round(session.kwh / kw * 3600, 6))
        values |= {"kw": kw, "seconds": seconds, "minutes": math.ceil(seconds / 60)}
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in values.items()
    }


def filled(part: Any, values: dict[str, Any]) -> Any:
    """Fill in the placeholders of a template; a text that is one placeholder becomes its value."""
    if isinstance(part, dict):
        members = ((name, filled(one, values)) for name, one in part.items())
        return {name: value for name, value in members if value is not _LEFT_OUT}
    if isinstance(part, list):
        return [value for one in part if (value := filled(one, values)) is not _LEFT_OUT]
    if not isinstance(part, str):
        return part
    alone = part[1:-1]
    if alone in values and part == f"{{{alone}}}":
        return _LEFT_OUT if values[alone] is None else values[alone]
    return part.format_map(values)


def fields_of(part: Any) -> set[str]:
    """Return the placeholders of a template.

    Raises:
        ValueError: one is unknown, or the template is malformed.
    """
    if isinstance(part, dict):
        return set().union(*(fields_of(one) for one in part.values()))
    if isinstance(part, list):
        return set().union(*(fields_of(one) for one in part))
    if not isinstance(part, str):
        return set()
    fields = set()
    try:
        pieces = list(Formatter().parse(part))
    except ValueError as error:
        raise ValueError(f"{part[:80]!r}: {error}; write a literal brace twice") from None
    for _, field, form, conversion in pieces:
        if field is None:
            continue
        if field not in FIELDS or form or conversion:
            raise ValueError(
                f"{part[:80]!r}: {{{field}}} is not known; it takes "
                + ", ".join(f"{{{name}}}" for name in FIELDS)
            )
        if field in OPTIONAL and part != f"{{{field}}}":
            raise ValueError(
                f"{part[:80]!r}: only some vehicles give {{{field}}}, so it must stand alone, as a "
                "member that can be omitted"
            )
        fields.add(field)
    return fields
