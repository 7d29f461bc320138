"""The substations in SUBSTATIONS and SUBSTATIONS_FILE, each with its profile. Pure.

The file is TOML: a table `[substations.NAME]` for each, and `[defaults]` for all of them.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from grid_common.api.fields import meant
from grid_common.http.url import parse_http_url, quoted_url
from load_balancer.profile import SubstationProfile

_MAX_NAME_LENGTH = 64
_MAX_FAULTS = 10
_DEFAULTS, _SUBSTATIONS = "defaults", "substations"


class SubstationUrl(NamedTuple):
    """One entry: every address behind `host` is a substation."""

    name: str
    host: str
    port: int


Entries = Mapping[SubstationUrl, SubstationProfile]


class EntriesFault(ValueError):
    """The entries are invalid; the message names each fault with its table and the remedy."""


def parse_urls(text: str) -> list[SubstationUrl]:
    """Parse comma-separated URLs of the form `http://host:port` or `name=http://host:port`.

    Raises:
        ValueError: one of them is invalid.
    """
    entries = [_parse_url(entry) for entry in text.split(",") if entry.strip()]
    _check_differ(entries)
    return entries


def read_entries(urls: str, file: str | None, defaults: SubstationProfile) -> Entries:
    """Combine the two settings.

    Args:
        urls: the value of SUBSTATIONS.
        file: the contents of SUBSTATIONS_FILE; None if it is not set.
        defaults: the default profile.

    Raises:
        EntriesFault: the file is invalid, or does not fit the URLs.
    """
    named = {entry.name: entry for entry in parse_urls(urls)}
    if file is None:
        return dict.fromkeys(named.values(), defaults)
    tables, common = _read_tables(file)
    entries: dict[SubstationUrl, SubstationProfile] = {}
    faults: list[str] = []
    for name in [*named, *(name for name in tables if name not in named)]:
        table = tables.get(name, {})
        entry = None
        try:
            entry = _entry(name, table, named.get(name))
        except ValueError as error:
            faults.append(f"{_table(name)} {error}")
        try:
            profile = _profile(table, common, defaults)
        except RecursionError:
            faults.append(
                f"{_table(name)} has values, or those of [{_DEFAULTS}], that are nested too deep"
            )
            continue
        if isinstance(profile, SubstationProfile):
            if entry is not None:
                entries[entry] = profile
        else:
            faults += [
                f"{_table(name) if ours else f'[{_DEFAULTS}]'} {fault}" for ours, fault in profile
            ]
    try:
        _check_differ(list(entries))
    except ValueError as error:
        faults.append(str(error))
    if not entries and not faults:
        faults.append(f"it has no table {_table('NAME')}; add one for each substation")
    if faults:
        reported = list(dict.fromkeys(faults))
        more = f"; and {len(reported) - _MAX_FAULTS} more" if len(reported) > _MAX_FAULTS else ""
        raise EntriesFault("; ".join(reported[:_MAX_FAULTS]) + more)
    return entries


def _read_tables(text: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the substations' tables by name, and the table of defaults."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise EntriesFault(f"it is not TOML: {error}") from None
    for key in document:
        if key not in (_DEFAULTS, _SUBSTATIONS):
            raise EntriesFault(
                f"{key[:80]!a} is not known there; it takes tables {_table('NAME')}, and "
                f"[{_DEFAULTS}] for the defaults of all of them"
            )
    tables, common = document.get(_SUBSTATIONS, {}), document.get(_DEFAULTS, {})
    if not isinstance(tables, dict) or not isinstance(common, dict):
        raise EntriesFault(f"it takes a table {_table('NAME')} for each, and one [{_DEFAULTS}]")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise EntriesFault(f"{_SUBSTATIONS}.{name[:80]} is not a table; write {_table(name)}")
    return tables, common


def _entry(name: str, table: Mapping[str, Any], known: SubstationUrl | None) -> SubstationUrl:
    """Return the entry of a table; `known` is the one with its name in SUBSTATIONS."""
    url = table.get("url")
    if known is not None:
        if url is not None:
            raise ValueError("url: SUBSTATIONS has this name, too; omit the URL in one of them")
        return known
    if not isinstance(url, str):
        raise ValueError('url is missing; set url = "http://host:port"')  # noqa: TRY004 - a fault of the file
    _check_name(name)
    host, port = parse_http_url(url)
    return SubstationUrl(name, host, port)


def _profile(
    table: Mapping[str, Any], common: Mapping[str, Any], defaults: SubstationProfile
) -> SubstationProfile | list[tuple[bool, str]]:
    """Return a profile, or its faults, each with whether it is in the substation's own table."""
    own = {name: value for name, value in table.items() if name != "url"}
    members = {**defaults.model_dump(), **common, **own}
    if members["load_unit"] == "kW" and "default_capacity" not in {**common, **own}:
        del members["default_capacity"]  # DEFAULT_CAPACITY counts vehicles
    try:
        return SubstationProfile.model_validate(members)
    except ValidationError as error:
        faults = [
            (fault, not fault["loc"] or str(fault["loc"][0]) in own)
            for fault in error.errors(include_url=False)
        ]
        return [(ours, _explain(fault, with_url=ours)) for fault, ours in faults]


def _explain(fault: ErrorDetails, *, with_url: bool) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    field = str(fault["loc"][0])
    info = SubstationProfile.model_fields.get(field)
    if info is not None:
        got = ascii(fault["input"])[:80]
        return f"{field} = {got} cannot be used: {message}. {info.description}"
    if isinstance(fault["input"], dict):
        return f"{field[:80]!a} is not known; put a name with a dot in quotes"
    fields = [*(["url"] if with_url else []), *SubstationProfile.model_fields]
    near = meant(field, fields)
    advice = f"did you mean {near}?" if near else "leave it out"
    return f"{field[:80]!a} is not known; {advice}"


def _parse_url(entry: str) -> SubstationUrl:
    before, slashes, after = entry.strip().partition("://")
    name, equals, scheme = before.rpartition("=")
    host, port = parse_http_url(f"{scheme.strip()}{slashes}{after}")
    if not equals:
        return SubstationUrl(host, host, port)
    try:
        _check_name(name.strip())
    except ValueError as error:
        raise ValueError(f"{quoted_url(entry)}: {error}") from None
    return SubstationUrl(name.strip(), host, port)


def _check_name(name: str) -> None:
    # A name goes into logs, labels and pages; behind @ follows the address of one among several.
    if not (1 <= len(name) <= _MAX_NAME_LENGTH and name.isprintable() and "@" not in name):
        raise ValueError(f"a name is 1 to {_MAX_NAME_LENGTH} printable characters, without @")


def _check_differ(entries: list[SubstationUrl]) -> None:
    there: dict[tuple[str, int], str] = {}
    names: set[str] = set()
    for name, host, port in entries:
        if name in names:
            raise ValueError(f"two are named {name!r}; give each a name: name=http://host:port")
        names.add(name)
        other = there.setdefault((host, port), name)
        if other != name:
            raise ValueError(f"{other} and {name} have the same address; remove one of them")


def _table(name: str) -> str:
    return f"[{_SUBSTATIONS}.{name[:_MAX_NAME_LENGTH]}]"
