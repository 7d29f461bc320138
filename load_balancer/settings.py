"""Settings of the balancer."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from grid_common.followed_file import read_text
from grid_common.http.url import HttpUrl, parse_http_url
from grid_common.settings import FilePath, ListenPort, Seconds, UpstreamSettings
from load_balancer.profile import (
    GaugeName,
    Kilowatts,
    Port,
    SubstationProfile,
    UrlPath,
    check_gauges_differ,
)
from load_balancer.routing.health import HealthCheck
from load_balancer.routing.policies import DEFAULT_POLICY, POLICIES
from load_balancer.routing.poll_schedule import MIN_PAUSE_S
from load_balancer.routing.retry_budget import RetryBudget
from load_balancer.substation_entries import Entries, parse_urls, read_entries

# A poll is late by at most this factor of the interval; the one after a failure, too.
_LATEST_POLL = 1.1


class Settings(UpstreamSettings):
    """The settings of the balancer, in addition to those of every service."""

    renamed: ClassVar[dict[str, str]] = {
        "LONGEST_PROBE_PAUSE": "MAX_PROBE_PAUSE",
        "POLLS_MISSED": "POLL_UNHEALTHY_THRESHOLD",
        "RETRY_FLOOR": "RETRY_BUDGET_MIN_PER_S",
        "RETRY_SHARE": "RETRY_BUDGET_RATIO",
    }

    port: ListenPort = 5001
    substations: str = Field(
        "",
        description="URLs of the substations, comma-separated, such as "
        "`http://substation1:5002,http://substation2:5002`. Each address behind a "
        "host name is a substation; `name=http://host:port` names it differently "
        "from its host",
    )
    substations_file: FilePath | None = Field(
        None,
        description="TOML file of substations and how each differs; reloaded while the balancer "
        "runs",
    )
    routing_policy: str = Field(DEFAULT_POLICY, description=f"One of {', '.join(POLICIES)}")
    peers: str = Field(
        "",
        description="URLs of all balancers that share these substations, comma-separated: they "
        "report their vehicles to each other. A name may have several addresses; this balancer "
        "itself may be among them",
    )
    balancers: int = Field(
        1,
        ge=1,
        le=1000,
        description="Number of balancers that share these substations, if some cannot be named "
        "in `PEERS`",
    )
    poll_interval: Annotated[float, Field(ge=0.05, le=3600)] = Field(
        0.5, description="Time between two polls of a substation's gauge, seconds"
    )
    poll_budget: Annotated[float, Field(ge=1, le=100_000)] = Field(
        600,
        description="Maximum number of gauge polls per second. With more substations "
        "than POLL_BUDGET times POLL_INTERVAL each is polled less often, and its gauge trusted "
        "for longer",
    )
    poll_timeout: Seconds = Field(0.8, description="Timeout of a poll, seconds")
    max_metrics_bytes: int = Field(
        1_000_000,
        ge=1024,
        le=67_108_864,
        description="Maximum size of a substation's metrics page, bytes",
    )
    poll_unhealthy_threshold: int = Field(
        2, ge=1, le=100, description="Failed polls in a row after which a substation counts as lost"
    )
    last_word_wait: Annotated[float, Field(ge=0, le=3600)] = Field(
        3,
        description="How long energy that may have flowed unreported at a lost substation is not "
        "requested elsewhere, seconds",
    )
    max_probe_pause: Seconds = Field(
        2, description="Maximum pause between two probes of an ejected substation, seconds"
    )
    max_wait: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60, description="Maximum time that a vehicle waits for a free point, seconds"
    )
    queue_limit: int = Field(
        10_000,
        ge=0,
        le=1_000_000,
        description="Maximum number of waiting vehicles. Waiting and charging vehicles together "
        "are limited by `MAX_CONNECTIONS`",
    )
    retry_budget_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Retries allowed per arriving vehicle"
    )
    retry_budget_min_per_s: Annotated[float, Field(gt=0, le=100_000)] = Field(
        50, description="Retries allowed per second, regardless of arrivals"
    )
    retry_burst: Annotated[float, Field(ge=1, le=1_000_000)] = Field(
        500, description="Maximum number of retries in a burst"
    )
    gauge_name: GaugeName = Field(
        "substation_current_load", description="Name of the gauge with a substation's load"
    )
    capacity_gauge_name: GaugeName = Field(
        "substation_capacity", description="Name of the gauge with a substation's capacity"
    )
    default_capacity: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Capacity of a substation that publishes none, vehicles",
    )
    metrics_port: Port | None = Field(
        None, description="Port of the metrics page. If unset: the substation's port"
    )
    metrics_path: UrlPath = Field(
        "/metrics",
        description="Path of the metrics page, with its query if it has one, in ASCII (`%C3%A9` "
        "for \u00e9)",
    )
    max_point_power_kw: Kilowatts = Field(
        1000,
        description="Maximum power of one point, kW, if a substation does not publish it. A "
        "vehicle that is charged in less than half the time that this power needs is "
        "reported",
    )

    _entries: Entries = PrivateAttr()

    @property
    def peer_urls(self) -> list[HttpUrl]:
        """URLs of the balancers that share these substations."""
        return [parse_http_url(url.strip()) for url in self.peers.split(",") if url.strip()]

    @property
    def profile(self) -> SubstationProfile:
        """The profile of each substation, unless SUBSTATIONS_FILE says otherwise."""
        return SubstationProfile(
            gauge_name=self.gauge_name,
            capacity_gauge_name=self.capacity_gauge_name,
            default_capacity=self.default_capacity,
            metrics_port=self.metrics_port,
            metrics_path=self.metrics_path,
            max_point_power_kw=self.max_point_power_kw,
        )

    def health_check(self) -> HealthCheck:
        """Return when substations are polled, trusted and given up."""
        return HealthCheck(
            interval_s=self.poll_interval,
            misses=self.poll_unhealthy_threshold,
            max_pause_s=self.max_probe_pause,
            polls_per_s=self.poll_budget,
        )

    def retry_budget(self) -> RetryBudget:
        """Return a new budget for retries."""
        return RetryBudget(
            share=self.retry_budget_ratio,
            floor_per_s=self.retry_budget_min_per_s,
            burst=self.retry_burst,
        )

    def lease_s(self, interval_s: float) -> float:
        """Return the silence after which a substation is given up by this balancer, seconds.

        It is the longest time from one heartbeat until enough consecutive polls have failed,
        plus one more poll. A substation then stops this balancer's sessions.

        Args:
            interval_s: time between two polls, seconds; grows with the number of substations.
        """
        unanswered_s = self.poll_unhealthy_threshold * (self.poll_timeout + MIN_PAUSE_S)
        return 2 * _LATEST_POLL * interval_s + unanswered_s

    @property
    def entries(self) -> Entries:
        """The substations as of the time when the settings were read."""
        return self._entries

    def read_entries(self) -> Entries:
        """Return the substations, from SUBSTATIONS and from the current file.

        Raises:
            ValueError: the file is invalid; the message says why.
        """
        file = None if self.substations_file is None else read_text(self.substations_file)
        return read_entries(self.substations, file, self.profile)

    @field_validator("routing_policy")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"it takes one of {', '.join(POLICIES)}")
        return value

    @field_validator("peers")
    @classmethod
    def _lead_to_balancers(cls, value: str) -> str:
        for url in filter(None, map(str.strip, value.split(","))):
            parse_http_url(url)
        return value

    @field_validator("substations")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if value and not parse_urls(value):
            raise ValueError("it names no substation")
        return value

    @model_validator(mode="after")
    def _name_substations(self) -> Self:
        check_gauges_differ(self.gauge_name, self.capacity_gauge_name)
        if not self.substations and self.substations_file is None:
            raise ValueError(
                "SUBSTATIONS is missing: set it to the URLs of the substations, or "
                "SUBSTATIONS_FILE to a file that names them"
            )
        try:
            self._entries = self.read_entries()
        except ValueError as error:
            raise ValueError(f"SUBSTATIONS_FILE={self.substations_file}: {error}") from None
        return self
