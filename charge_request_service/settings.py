"""Settings of the gateway."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from grid_common.settings import Seconds, ServiceSettings


class Settings(ServiceSettings):
    """What the gateway can be told, beyond what every service can."""

    port: int = Field(8080, ge=0, le=65_535, description="TCP port to listen on")
    balancer_url: str = Field("http://127.0.0.1:5001", description="URL of the balancer")
    connect_timeout: Seconds = Field(
        1, description="Longest that connecting to the balancer may take, seconds"
    )
    max_wait: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60,
        description="Longest that a vehicle waits for a free point, or for a balancer that "
        "restarts, seconds",
    )
    control_room: bool = Field(
        True,
        description="Whether to serve the control room at / with its rush hour, true or false",
    )

    @field_validator("balancer_url")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("it takes `http://host:port`")
        return value.rstrip("/")
