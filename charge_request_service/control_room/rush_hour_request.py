"""The body of `POST /rush-hour`, validated field by field."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from grid_common.api.charge import DEFAULT_KWH
from grid_common.api.fields import checked
from grid_common.api.problems import BadRequest, FieldFault

_MAX_VEHICLES = 500
_MAX_S = 600.0
_DEFAULT_OVER_S = 20.0


class RushHourRequest(BaseModel):
    """The body of `POST /rush-hour`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    vehicles: Annotated[int, Field(ge=1, le=_MAX_VEHICLES)] = Field(
        description=f"Number of vehicles: 1 to {_MAX_VEHICLES}."
    )
    kwh: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        DEFAULT_KWH, description="Energy for each, kWh: over 0 and at most MAX_KWH (1000)."
    )
    over_s: Annotated[float, Field(ge=0, le=_MAX_S, allow_inf_nan=False)] = Field(
        _DEFAULT_OVER_S,
        description=f"Period over which they arrive, seconds: 0 to {_MAX_S:g}; most come midway.",
    )

    @classmethod
    def from_document(cls, document: Any, *, max_kwh: float) -> Self:
        """Validate a parsed body.

        Raises:
            BadRequest: it is not an object, or a field is wrong; each fault is named with its
                remedy.
        """
        takes = {
            "vehicles": f"a whole number from 1 to {_MAX_VEHICLES}",
            "kwh": f"a number over 0 and at most {max_kwh:g} (kWh)",
            "over_s": f"a number from 0 to {_MAX_S:g} (seconds)",
        }
        rush_request = checked(cls, document, takes=takes, example='{"vehicles": 100}')
        if rush_request.kwh > max_kwh:
            raise BadRequest(
                [FieldFault("kwh", f"is {rush_request.kwh:g}; it takes {takes['kwh']}")]
            )
        return rush_request
