"""Settings of the balancer."""

from typing import Annotated, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from grid_common.http_url import parse_http_url, quoted_url
from grid_common.settings import Seconds, ServiceSettings
from load_balancer.policy import POLICIES

_GAUGE = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"
_PATH = r"^/[!-\"$-~]*$"
_LONGEST_NAME = 64


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
    max_metrics_bytes: int = Field(
        1_000_000,
        ge=1024,
        le=67_108_864,
        description="Largest metrics page of a substation that is read, bytes",
    )
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
    upstream_idle_timeout: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60,
        description="How long an idle connection to a substation is kept, seconds: less than "
        "whatever closes it at the other end; 0 for not at all",
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
    metrics_path: str = Field(
        "/metrics",
        pattern=_PATH,
        description="Path of the metrics page, with its query if it has one, in ASCII (`%C3%A9` "
        "for \u00e9)",
    )

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
        there: dict[tuple[str, int], str] = {}
        for name, host, port in entries:
            other = there.setdefault((host, port), name)
            if other != name:
                raise ValueError(f"{other} and {name} have one address; leave one of them out")
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
    before, slashes, after = entry.strip().partition("://")
    name, equals, scheme = before.rpartition("=")
    url = parse_http_url(f"{scheme.strip()}{slashes}{after}")
    if not equals:
        return SiteUrl(url.host, url.host, url.port)
    name = name.strip()
    # A name goes into logs, labels and pages; after @ stands which of its addresses is meant.
    if not (1 <= len(name) <= _LONGEST_NAME and name.isprintable() and "@" not in name):
        raise ValueError(
            f"{quoted_url(entry)}: a name is 1 to {_LONGEST_NAME} printable characters, without @"
        )
    return SiteUrl(name, url.host, url.port)
