"""How substations differ: how to call each, and what its responses mean. Pure."""

from typing import Annotated, Any, Literal, NamedTuple, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from grid_common.api.charge import Session
from load_balancer.template import FROM_POWER, fields_of, filled, values_of

# ASCII, without the fragment (#), which is never sent.
UrlPath = Annotated[str, Field(pattern=r'^/[!-"$-~]*$', max_length=2000)]
GaugeName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
Port = Annotated[int, Field(ge=1, le=65_535)]
# At least a watt: dividing by nearly nothing gives no useful number of vehicles or seconds.
Kilowatts = Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)]

_EXAMPLE = Session("s", "v", 1.0, 1.0, 1.0, 0.5)


def check_gauges_differ(load: str, capacity: str) -> None:
    """Check that the names of the two gauges differ.

    Raises:
        ValueError: they are the same, so that the substation would always be full.
    """
    if load == capacity:
        raise ValueError(
            f"gauge_name and capacity_gauge_name are both {load}; if there is no gauge of the "
            "capacity, set default_capacity and omit capacity_gauge_name"
        )


class ChargeCall(NamedTuple):
    """The request to a substation for one vehicle."""

    path: str
    body: bytes


class SubstationProfile(BaseModel):
    """How to ask one substation to charge a vehicle, and how to read its page and responses.

    Each field can be set in SUBSTATIONS_FILE, for one substation or for all; see
    docs/your-own-substations.md. A template is a text that contains {vehicle_id} or similar.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    gauge_name: GaugeName = Field(
        "substation_current_load", description="Name of the gauge with its load"
    )
    capacity_gauge_name: GaugeName = Field(
        "substation_capacity", description="Name of the gauge with its capacity"
    )
    load_unit: Literal["vehicles", "kW"] = Field(
        "vehicles", description="Unit of both gauges, `vehicles` or `kW`"
    )
    vehicle_kw: Kilowatts | None = Field(
        None,
        description="Charging power of one vehicle, kW: the load of one vehicle if the gauge is "
        "in kW, and the base of `{kw}`, `{minutes}` and `{seconds}`",
    )
    default_capacity: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        None, description="Capacity if it publishes none, in the unit of its load"
    )
    metrics_port: Port | None = Field(
        None, description="Port of its metrics page. If unset: the port of its URL"
    )
    metrics_path: UrlPath = Field(
        "/metrics", description="Path of its metrics page, with its query if it has one"
    )
    charge_path: UrlPath = Field("/charge", description="Path for charges, a template")
    body: dict[str, Any] | None = Field(
        None,
        description="Members of the JSON object that is posted; texts are templates. If unset: "
        "the body of this project",
    )
    answer: Literal["charged", "accepted"] = Field(
        "charged",
        description="Meaning of its 200: the vehicle is `charged`, or `accepted` and starts "
        "charging",
    )
    max_point_power_kw: Kilowatts = Field(
        1000,
        description="Maximum power of one of its points, kW, if its page does not say. A vehicle "
        "that is charged in less than half the time that this power needs is "
        "reported",
    )
    time_scale: Annotated[float, Field(gt=0, le=1e9)] = Field(
        1, description="Charging speed relative to real time, for simulated substations"
    )

    @field_validator("charge_path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        fields_of(value)
        return value

    @field_validator("body")
    @classmethod
    def _is_json(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        fields_of(value)
        try:
            orjson.dumps(filled(value, values_of(_EXAMPLE, 1.0)))
        except TypeError as error:
            raise ValueError(f"it cannot be written as JSON ({error})") from None
        return value

    @model_validator(mode="after")
    def _gauges_differ(self) -> Self:
        check_gauges_differ(self.gauge_name, self.capacity_gauge_name)
        return self

    @model_validator(mode="after")
    def _units_fit(self) -> Self:
        if self.load_unit == "vehicles" and not float(self.default_capacity or 1).is_integer():
            raise ValueError(
                f"default_capacity = {self.default_capacity:g} is not a number of vehicles; give a "
                'whole number, or set load_unit = "kW"'
            )
        if self.vehicle_kw is None:
            if self.load_unit == "kW":
                raise ValueError('load_unit = "kW" needs vehicle_kw, the kW that a vehicle takes')
            needed = (fields_of(self.charge_path) | fields_of(self.body)) & FROM_POWER
            if needed:
                raise ValueError(f"{{{min(needed)}}} needs vehicle_kw, the kW that a vehicle takes")
        return self

    @property
    def gauge_kw(self) -> float | None:
        """The gauges' kW of one vehicle; None if they count vehicles."""
        return self.vehicle_kw if self.load_unit == "kW" else None

    def call(self, session: Session) -> ChargeCall:
        """Return the request for a vehicle."""
        if self.body is None and "{" not in self.charge_path:
            return ChargeCall(self.charge_path, session.body())
        values = values_of(session, self.vehicle_kw)
        body = session.body() if self.body is None else orjson.dumps(filled(self.body, values))
        return ChargeCall(self.charge_path.format_map(values), body)
