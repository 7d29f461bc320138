"""Settings of the balancer."""

from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from grid_common.settings import Seconds, ServiceSettings
from load_balancer.policy import POLICIES

_GAUGE = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"


class SiteUrl(NamedTuple):
    """One entry of SUBSTATIONS: every address behind `host` is a substation."""

    name: str
    host: str
    port: int


class Settings(ServiceSettings):
    """What the balancer can be told, beyond what every service can."""

    port: int = Field(5001, ge=0, le=65_535, description="TCP port to listen on")
    substations: str = Field(
        description="URLs of the substations, comma-separated, such as "
        "`http://substation1:5002,http://substation2:5002`; every address behind a host is a "
        "substation of its own; `name=http://host:port` gives it another name than its host",
    )
    routing_policy: str = Field("least-loaded", description=f"One of {', '.join(POLICIES)}")
    balancers: int = Field(
        1, ge=1, le=1000, description="How many balancers share these substations"
    )
    poll_interval: Annotated[float, Field(ge=0.05, le=3600)] = Field(
        0.5, description="Time between two polls of a substation's gauge, seconds"
    )
    poll_timeout: Seconds = Field(0.8, description="Longest that a poll may take, seconds")
    polls_missed: int = Field(
        2, ge=1, le=100, description="Polls in a row without an answer that make a substation lost"
    )
    longest_probe_pause: Seconds = Field(
        2, description="Longest pause between two probes of an ejected substation, seconds"
    )
    resolve_interval: Seconds = Field(
        2, description="Time between two look-ups of the substations' host names, seconds"
    )
    connect_timeout: Seconds = Field(
        1, description="Longest that connecting to a substation may take, seconds"
    )
    max_wait: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60, description="Longest that a vehicle waits for a free point, seconds"
    )
    queue_limit: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="Most vehicles that wait at once; with those that charge no more than "
        "`MAX_CONNECTIONS`",
    )
    retry_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Repeated dispatches allowed for each vehicle that arrives"
    )
    retry_floor: Annotated[float, Field(gt=0, le=100_000)] = Field(
        50, description="Repeated dispatches allowed a second whatever arrives"
    )
    retry_burst: Annotated[float, Field(ge=1, le=1_000_000)] = Field(
        500, description="Most repeated dispatches at once"
    )
    gauge_name: str = Field(
        "substation_current_load", pattern=_GAUGE, description="The gauge with a site's load"
    )
    capacity_gauge_name: str = Field(
        "substation_capacity", pattern=_GAUGE, description="The gauge with a site's capacity"
    )
    default_capacity: int | None = Field(
        None, ge=1, description="Capacity of a site that publishes none, vehicles"
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="Port of the metrics page; none: the site's own"
    )
    metrics_path: str = Field("/metrics", pattern=r"^/", description="Path of the metrics page")

    @property
    def site_urls(self) -> list[SiteUrl]:
        """The entries of SUBSTATIONS."""
        return [_parse(entry) for entry in self.substations.split(",") if entry.strip()]

    @field_validator("routing_policy")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"it takes one of {', '.join(POLICIES)}")
        return value

    @field_validator("substations")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        entries = [_parse(entry) for entry in value.split(",") if entry.strip()]
        if not entries:
            raise ValueError("it names no substation")
        twice = [entry for entry in entries if entries.count(entry) > 1]
        if twice:
            raise ValueError(f"{twice[0].host}:{twice[0].port} stands in it twice")
        return value

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [entry.name for entry in self.site_urls]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"two SUBSTATIONS are named {name!r}; give each a name: name=http://host:port"
                )
        return self


def _parse(entry: str) -> SiteUrl:
    name, equals, url = entry.strip().rpartition("=")
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise ValueError(f"{entry!r}: {error}") from None
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"{entry.strip()!r} is no `http://host:port` or `name=http://host:port`")
    if equals and not name.strip():
        raise ValueError(f"{entry.strip()!r} has an empty name")
    return SiteUrl(name.strip() or parts.hostname, parts.hostname, port)
