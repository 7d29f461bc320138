"""Settings of a substation."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from grid_common.settings import FilePath, ListenPort, ServiceSettings
from substation_service.power import Sharing

# Connections reserved for balancers' polls, Prometheus and refused vehicles.
_OTHER_CALLERS = 100
# Minimum number of them.
_LEAST_OTHER_CALLERS = 28


class Settings(ServiceSettings):
    """The settings of a substation, in addition to those of every service."""

    port: ListenPort = 5002
    substation_name: str = Field(
        "substation",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name of the substation in its log",
    )
    charging_points: int = Field(4, ge=1, le=100_000, description="Number of charging points")
    point_power_kw: float = Field(
        50, gt=0, le=10_000, allow_inf_nan=False, description="Power of one charging point, kW"
    )
    power_limit_kw: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Maximum total power, kW, shared by the vehicles. If unset: the sum of all "
        "points",
    )
    power_sharing: Sharing = Field(
        Sharing.FIRST_COME,
        description="How vehicles share that limit: `first-come` (each gets at least half of its "
        "equal share, the rest goes in order of arrival) or `equal` (max-min fair)",
    )
    time_scale: float = Field(
        360,
        gt=0,
        le=1e9,
        allow_inf_nan=False,
        description="Charging speed relative to real time; 1 is real time",
    )

    journal: FilePath | None = Field(
        None,
        description="File that records the energy delivered to each session, so that it is known "
        "after a restart; one file per substation. If unset: kept in memory only",
    )
    journal_max_mb: int = Field(
        64,
        ge=1,
        le=65_536,
        description="Size beyond which that file is compacted, MB",
    )

    @property
    def least_connections(self) -> int:
        """Minimum number of connections with which a full substation still answers polls."""
        return self.charging_points + _LEAST_OTHER_CALLERS

    @model_validator(mode="after")
    def _polls_find_a_way_in(self) -> Self:
        needed = self.charging_points + _OTHER_CALLERS
        if self.max_connections < needed:
            raise ValueError(
                f"CHARGING_POINTS={self.charging_points} leaves MAX_CONNECTIONS="
                f"{self.max_connections} no room for polls: with every point taken the "
                f"substation would look dead; set MAX_CONNECTIONS to {needed} or more"
            )
        return self

    @field_validator("power_sharing", mode="before")
    @classmethod
    def _deadlines_are_not_known(cls, value: object) -> object:
        if value == "deadline":
            raise ValueError(
                "vehicles cannot state a departure yet, so power cannot be shared by it; "
                "use first-come or equal"
            )
        return value
