"""The body of `POST /charge`, validated the same way on every hop."""

import os
from typing import Annotated, Any, NamedTuple, Self

import orjson
from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grid_common.api.fields import Takes, checked, refuse_query
from grid_common.api.identifier import ID, ID_HELP
from grid_common.api.json_body import is_json, media_type, parse_body, read_body
from grid_common.api.problems import BadRequest, FieldFault, NotJson
from grid_common.http.shown import shown

DEFAULT_KWH = 10.0
# Energy and power members of a charge response. Third-party substations may omit them.
METERED = ("energy_kwh", "mean_power_kw", "peak_power_kw")
# The `reason` of a session that ended by `DELETE /sessions/ID`. A hop acts on it if the next one
# reports it.
STOPPED_BY_CALLER = "stopped by its caller"
_EXAMPLE_ID = "EV-31"

# IEC 61851 does not charge below 6 A (1.4 kW on one phase of 230 V). A lower limit would occupy a
# point for weeks.
_LEAST_MAX_POWER_KW, _MAX_MAX_POWER_KW = 1.0, 10_000.0
_MAX_BATTERY_KWH = 1_000_000.0
# Rounding tolerance as a share of the battery: 6 kWh must fit into 60 kWh at 90%.
_ROUNDING = 1e-9


def _id_takes(value: object) -> str:
    """Return what an ID takes; for a number or the like with an example."""
    if isinstance(value, str):
        return ID_HELP
    text = str(value) if isinstance(value, int | float) else ""
    example = text if ID.fullmatch(text) and not isinstance(value, bool) else _EXAMPLE_ID
    return f'a string, such as "{example}": {ID_HELP}'


_TAKES: dict[str, Takes] = {
    "session_id": _id_takes,
    "vehicle_id": _id_takes,
    "max_power_kw": f"a number from {_LEAST_MAX_POWER_KW:g} to {_MAX_MAX_POWER_KW:g} (kW)",
    "battery_kwh": f"a number over 0 and at most {_MAX_BATTERY_KWH:.0f} (kWh)",
    "soc": "a number from 0 to 1, 0.8 at 80%",
}

# A body up to this size is parsed and validated in one step. A larger one is parsed first, because
# validating many fields takes longer than parsing them.
_USUAL_BYTES = 512

Identifier = Annotated[str, Field(pattern=f"^{ID.pattern}$", max_length=64, min_length=1)]


class ChargeRequest(BaseModel):
    """One vehicle's request as the gateway accepts it.

    A missing field gets its default; an unknown field is a fault.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra={"dependentRequired": {"soc": ["battery_kwh"]}},
    )

    vehicle_id: Identifier | None = Field(
        None, description=f"Vehicle ID: {ID_HELP}. Generated if omitted."
    )
    kwh: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        DEFAULT_KWH,
        description="Requested energy, kWh: over 0 and at most MAX_KWH (default 1000). "
        "If the battery is given, no more than fits into it.",
    )
    max_power_kw: (
        Annotated[float, Field(ge=_LEAST_MAX_POWER_KW, le=_MAX_MAX_POWER_KW, allow_inf_nan=False)]
        | None
    ) = Field(None, description="Maximum charging power of the vehicle, kW. Unlimited if omitted.")
    battery_kwh: Annotated[float, Field(gt=0, le=_MAX_BATTERY_KWH, allow_inf_nan=False)] | None = (
        Field(None, description="Capacity of the battery, kWh. Unknown if omitted.")
    )
    soc: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="State of charge of the battery, 0 to 1. From 0.8 on the charging power "
        "falls; if omitted, it stays constant to the end.",
    )

    @classmethod
    def from_request(cls, request: Request, *, max_kwh: float) -> Self:
        """Parse and validate a request's body; an empty body means all defaults.

        Raises:
            BadRequest: the body is not JSON or not an object, a field is wrong, or the query has
                parameters; each fault is named.
            BodyTooLarge: the body exceeds the app's MAX_CONTENT_LENGTH.
            NotJson: the body has another content type.
        """
        refuse_query(request, cls.model_fields)
        body = read_body(request)
        if not body:
            return cls()
        if not is_json(request.environ):
            raise NotJson(
                f"content type {shown(media_type(request.environ))}: send the body as JSON with "
                "the header 'Content-Type: application/json', or send no body."
            )
        return cls._from_body(body, max_kwh)

    @classmethod
    def _from_body(cls, body: bytes, max_kwh: float) -> Self:
        if len(body) <= _USUAL_BYTES:
            try:
                asked: Self = cls.__pydantic_validator__.validate_json(body)
            except ValidationError:
                pass  # validated again below, where each fault is described
            else:
                return asked._within(max_kwh)
        return cls.from_document(parse_body(body), max_kwh=max_kwh)

    @classmethod
    def from_document(cls, document: Any, *, max_kwh: float) -> Self:
        """Validate a parsed body.

        Raises:
            BadRequest: it is not an object, or a field is wrong; each fault is named.
        """
        takes = _TAKES | {"kwh": _kwh_takes(max_kwh)}
        takes = {name: takes[name] for name in cls.model_fields}
        asked = checked(cls, document, takes=takes, example='{"kwh": 6}')
        return asked._within(max_kwh)

    def _within(self, max_kwh: float) -> Self:
        """Return the request, checked against limits that depend on settings or on several fields.

        Raises:
            BadRequest: it asks for more than max_kwh, or for more than fits into its battery.
        """
        if self.kwh > max_kwh:
            fault = f"is {shown(self.kwh)}; it takes {_kwh_takes(max_kwh)}"
            raise BadRequest([FieldFault("kwh", fault)])
        if self.battery_kwh is not None or self.soc is not None:
            _check_battery(self)
        return self

    def start_session(self, session_id: str | None = None) -> "Session":
        """Create the request's session; generate an ID if none is given."""
        name = session_id or os.urandom(8).hex()
        return Session(
            name,
            self.vehicle_id or vehicle_of(name),
            self.kwh,
            self.max_power_kw,
            self.battery_kwh,
            self.soc,
        )


class SessionRequest(ChargeRequest):
    """The request from gateway to balancer to substation, which carries the session's ID."""

    session_id: Identifier | None = Field(
        None, description="Session ID; set by the gateway, generated if omitted."
    )

    def session(self) -> "Session":
        """Return the requested session."""
        return self.start_session(self.session_id)


def vehicle_of(session_id: str) -> str:
    """Return an ID for a vehicle that gave none."""
    return f"EV-{session_id[-8:]}"


class Session(NamedTuple):
    """One vehicle's charge, with every ID filled in."""

    session_id: str
    vehicle_id: str
    kwh: float
    max_power_kw: float | None = None
    battery_kwh: float | None = None
    soc: float | None = None

    def members(self) -> dict[str, str | float]:
        """Return the members that every response about the session repeats."""
        return {"session_id": self.session_id, "vehicle_id": self.vehicle_id, "kwh": self.kwh}

    def body(self) -> bytes:
        """Return the JSON body for the next hop, without members that were not given."""
        members = self.members()
        if self[3:] != _NOTHING_STATED:
            reported = zip(Session._fields[3:], self[3:], strict=True)
            members.update({name: value for name, value in reported if value is not None})
        return orjson.dumps(members)


_NOTHING_STATED = (None, None, None)


def _check_battery(asked: ChargeRequest) -> None:
    """Check that the requested energy fits into the battery.

    Raises:
        BadRequest: it does not, or a state of charge is given without a capacity.
    """
    if asked.battery_kwh is None:
        raise BadRequest(
            [FieldFault("soc", "has no meaning without battery_kwh; send both or neither")]
        )
    fits_kwh = (1 - (asked.soc or 0.0)) * asked.battery_kwh
    if asked.kwh > fits_kwh + _ROUNDING * asked.battery_kwh:
        left_out = "" if "kwh" in asked.model_fields_set else " (omitted)"
        at = "" if asked.soc is None else f" at a soc of {asked.soc:g}"
        takes = f"it takes {fits_kwh:g} at most" if fits_kwh > 0 else "it is full"
        detail = (
            f"is {asked.kwh:g}{left_out}, more than fits into {asked.battery_kwh:g} kWh{at}; "
            f"{takes}"
        )
        raise BadRequest([FieldFault("kwh", detail)])


def _kwh_takes(max_kwh: float) -> str:
    return f"a number over 0 and at most {max_kwh:g} (kWh)"
