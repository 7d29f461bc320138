"""Settings of the gateway."""

from ipaddress import ip_address
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from charge_request_service.auth.hosts import read_names
from charge_request_service.auth.key_file import read_keys
from charge_request_service.auth.rate import read_rate
from charge_request_service.sessions.ledger_url import read_ledger_url
from grid_common.http.url import HttpUrl, parse_http_url
from grid_common.settings import FilePath, Host, ListenPort, Seconds, UpstreamSettings, accepted_by


class Settings(UpstreamSettings):
    """The settings of the gateway, in addition to those of every service."""

    renamed: ClassVar[dict[str, str]] = {"CHECKS_MISSED": "CHECK_UNHEALTHY_THRESHOLD"}

    port: ListenPort = 8080
    balancer_url: str = Field(
        "http://127.0.0.1:5001",
        description="URL of the balancer, or several URLs, comma-separated. All addresses behind "
        "a name are used",
    )
    check_interval: Annotated[float, Field(ge=0.05, le=3600)] = Field(
        1,
        description="Time between two health checks of a balancer with vehicles in flight, and "
        "the timeout of each, seconds",
    )
    check_unhealthy_threshold: int = Field(
        3,
        ge=1,
        le=1000,
        description="Failed health checks in a row after which the balancer counts as silent and "
        "gets no new vehicles",
    )
    balancer_patience: Seconds = Field(
        300,
        description="Maximum time that vehicles in flight wait for a silent balancer, seconds",
    )
    max_wait: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60,
        description="Maximum time that a vehicle waits for a free point, or for a balancer that "
        "restarts, seconds",
    )
    control_room: bool = Field(
        True,
        description="Whether to serve the control room at / and its rush hour, true or false",
    )
    charge_api_keys_file: Annotated[FilePath, accepted_by(read_keys)] | None = Field(
        None,
        repr=False,  # a user may set it to a key by mistake
        description="File of the accepted API keys, one `name:sha256` per line. If unset: "
        "callers need no key",
    )
    rate_limit: Annotated[str, accepted_by(read_rate)] = Field(
        "",
        description="Maximum request rate of one key, or of one address without a key, such as "
        "`600/minute` or `600/minute burst 50`. If unset: no limit",
    )
    allowed_hosts: Annotated[str, accepted_by(read_names)] = Field(
        "",
        description="Public host names of the gateway, comma-separated, such as "
        "`grid.example,.grid.example`. If unset: any name with API keys, none "
        "without",
    )
    published_host: Host | None = Field(
        None,
        description="Address at which others reach the gateway if it is not `BIND_HOST`, for "
        "example a container's published port",
    )
    open_to_all: Literal["no", "yes-anyone-may-charge"] = Field(
        "no",
        description="`yes-anyone-may-charge` lets the gateway listen beyond this machine without "
        "API keys",
    )

    ledger_url: Annotated[str, accepted_by(read_ledger_url)] = Field(
        "sqlite://",
        repr=False,  # it may contain a password
        description="URL of the session ledger: `sqlite:////folder/file`; "
        "`postgresql://user:password@host/database` for several gateways (or, with "
        "the password in a file, "
        "`postgresql://user@host/database?password_file=/run/secrets/NAME`); or "
        "`sqlite://`: in memory, the last 10,000 sessions, lost when the process "
        "ends",
    )
    ledger_retention: Annotated[float, Field(gt=0, le=3_153_600_000)] = Field(
        7_776_000, description="How long finished sessions are kept, seconds"
    )
    key_retention: Annotated[float, Field(gt=0, le=3_153_600_000)] = Field(
        86_400,
        description="How long an `Idempotency-Key` and its response are kept after the session "
        "ends, seconds. At most `LEDGER_RETENTION`",
    )
    reconnect_grace: Annotated[float, Field(ge=0, le=86_400)] = Field(
        300,
        description="How long a session with an `Idempotency-Key` continues after its caller "
        "disconnected, and any durable session after a part of the grid failed, "
        "seconds",
    )

    @property
    def balancer_urls(self) -> list[HttpUrl]:
        """URLs of the balancers, with names or addresses."""
        return [parse_http_url(url) for url in self.balancer_url.split(",")]

    @field_validator("balancer_url")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        urls = [str(parse_http_url(url.strip())) for url in value.split(",")]
        return ",".join(dict.fromkeys(urls))

    @model_validator(mode="after")
    def _keeps_sessions_for_as_long_as_their_keys(self) -> Self:
        if self.key_retention > self.ledger_retention:
            raise ValueError(
                f"KEY_RETENTION={self.key_retention:g} is longer than "
                f"LEDGER_RETENTION={self.ledger_retention:g}, but a key is deleted with its session"
            )
        return self

    @model_validator(mode="after")
    def _is_open_to_all_only_if_told_so(self) -> Self:
        host = self.published_host or self.bind_host
        if not (self.charge_api_keys_file or self.open_to_all != "no" or _is_loopback(host)):
            raise ValueError(
                f"{'PUBLISHED_HOST' if self.published_host else 'BIND_HOST'}={host} admits other "
                "machines, but no API keys are set, so that anyone may charge. Set "
                "CHARGE_API_KEYS_FILE (`python -m charge_request_service.keys NAME` makes a key), "
                "use 127.0.0.1, or set OPEN_TO_ALL=yes-anyone-may-charge"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may resolve to any address
