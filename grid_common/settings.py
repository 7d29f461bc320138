"""Settings: each declared once with type, default, unit and meaning, read from the environment.

An invalid one stops the service at start with a line that names the setting, its value and the
remedy.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from grid_common.http.url import hide_passwords, parse_host

# With fewer connections a service is of no use: health checks and polls need some of them.
_LEAST_CONNECTIONS = 32
# How many characters are shown of a setting that may contain a secret by mistake (`repr=False`).
_SHOWN = 20
# From this similarity on a variable is likely a misspelt setting; settings of other services are
# less similar.
_LIKENESS = 0.9
ListenPort = Annotated[int, Field(ge=0, le=65_535, description="TCP port to listen on")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _can_be_shown(path: Path) -> Path:
    if not str(path).isprintable():
        raise ValueError("it cannot be logged; give a path of printable UTF-8 characters")
    return path


FilePath = Annotated[Path, AfterValidator(_can_be_shown)]
Host = Annotated[str, AfterValidator(parse_host)]


def accepted_by(read: Callable[[Any], object]) -> AfterValidator:
    """Validate a setting that is not empty by a function that raises ValueError."""

    def check(value: Any) -> Any:
        if value:
            read(value)
        return value

    return AfterValidator(check)


class SettingsError(ValueError):
    """One or more settings are invalid; the message has a line for each."""


class ServiceSettings(BaseSettings):
    """The settings that all services have.

    Field names in upper case are the environment variables. A field's `description` gives its
    meaning, with the unit if it has one. A variable that is set but empty counts as not set.
    """

    # Old names of settings and their new names. The old ones work for one release, with a warning.
    renamed: ClassVar[dict[str, str]] = {}

    # Compose and shells pass unset variables as empty ones (`METRICS_PORT=${METRICS_PORT:-}`).
    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    bind_host: Host = Field("127.0.0.1", description="Address to listen on")
    port: ListenPort
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum severity that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="`json`, `console` (for people), or `auto`: `console` at a terminal, "
        "otherwise `json`",
    )
    max_kwh: float = Field(
        1000, gt=0, le=1_000_000, description="Maximum energy that one vehicle may request, kWh"
    )
    max_body_bytes: int = Field(
        65_536, ge=256, le=16_777_216, description="Maximum size of a request body, bytes"
    )
    max_connections: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Maximum number of open connections. 10% of them, at most 100, are reserved "
        "for requests that hold no vehicle",
    )
    drain_timeout: Seconds = Field(
        75, description="Maximum time that SIGTERM waits for charging vehicles, seconds"
    )

    @property
    def least_connections(self) -> int:
        """Minimum number of connections with which the service can work."""
        return min(_LEAST_CONNECTIONS, self.max_connections)

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment.

        Raises:
            SettingsError: a setting is missing or invalid.
        """
        given: dict[str, Any] = {
            now.lower(): os.environ[old]
            for old, now in in_use_by_old_name(cls, os.environ).items()
            if not os.environ.get(now)
        }
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError(explain(cls, error)) from None

    @classmethod
    def load_or_exit(cls, program: str) -> Self:
        """Read a program's settings. `--help` prints them; an invalid one exits with status 2."""
        if {"-h", "--help"} & set(sys.argv[1:]):
            sys.stdout.write(help_text(cls, program))
            sys.exit(0)
        if len(sys.argv) > 1:
            sys.stderr.write(
                f"{program}: unknown argument {sys.argv[1]!r}: settings come from the environment, "
                f"see `python -m {program} --help`\n"
            )
            sys.exit(2)
        try:
            return cls.load()
        except SettingsError as error:
            lines = str(error).splitlines()
            for name, meant in misspelt(cls, os.environ).items():
                lines.append(f"{name} is not a setting; did you mean {meant}?")
            sys.stderr.write("".join(f"{program}: {line}\n" for line in lines))
            sys.exit(2)


class UpstreamSettings(ServiceSettings):
    """The settings of a service that forwards vehicles upstream."""

    resolve_interval: Seconds = Field(
        2, description="Time between two look-ups of the upstream host names, seconds"
    )
    connect_timeout: Seconds = Field(1, description="Timeout for connecting upstream, seconds")
    upstream_idle_timeout: Annotated[float, Field(ge=0, le=86_400)] = Field(
        60,
        description="How long an idle upstream connection is kept, seconds. Must be below the idle "
        "timeout of the other end; 0 closes connections after each request",
    )


def rows(settings: type[ServiceSettings]) -> list[tuple[str, str, str]]:
    """Return (environment variable, default, meaning) of each setting, in order of declaration."""
    return [
        (name.upper(), _default(field), field.description or "")
        for name, field in settings.model_fields.items()
    ]


def in_use_by_old_name(
    settings: type[ServiceSettings], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the old names of settings that are set, each with its new name."""
    return {old: now for old, now in settings.renamed.items() if variables.get(old)}


def misspelt(settings: type[ServiceSettings], variables: Iterable[str]) -> dict[str, str]:
    """Return the variables that are not settings but close to one, each with that setting."""
    known = {name.upper() for name in settings.model_fields}
    found: dict[str, str] = {}
    for name in variables:
        if (
            name.isascii()
            and name.isprintable()
            and name.upper() not in {*known, *settings.renamed}
        ):
            for near in get_close_matches(name.upper(), known, n=1, cutoff=_LIKENESS):
                found[name] = near
    return found


def help_text(settings: type[ServiceSettings], program: str) -> str:
    """Return the `--help` text of a program's settings."""
    table = rows(settings)
    width = max(len(name) for name, _, _ in table)
    lines = [f"usage: python -m {program}", "", "Settings (environment variables):"]
    for name, default, meaning in table:
        lines += [f"  {name:<{width}}  {meaning} (default: {default or 'none'})"]
    return "\n".join(lines) + "\n"


def explain(settings: type[ServiceSettings], error: ValidationError) -> str:
    """Return a line for each invalid setting of a validation error: name, value, fault, remedy."""
    lines = []
    for fault in error.errors(include_url=False):
        field = str(fault["loc"][0]) if fault["loc"] else ""
        info = settings.model_fields.get(field)
        default = f" (default: {_default(info) or 'none'})" if info else ""
        meaning = f" {info.description}{default}." if info else ""
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            lines.append(f"setting {field.upper()} is missing: set it.{meaning}")
        else:
            value = str(fault["input"]) if field else ""
            if info is not None and not info.repr and len(value) > _SHOWN:
                value = f"{value[:_SHOWN]}..."
            name = f"setting {field.upper()}={hide_passwords(value)}" if field else "settings"
            lines.append(f"{name} cannot be used: {message}. Correct or unset it.{meaning}")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default is None:
        return ""
    default = field.default
    return f"{default:g}" if isinstance(default, float) else str(default)
