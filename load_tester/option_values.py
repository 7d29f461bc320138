"""Parsers of option values, which report what is wrong with a value and what it takes."""

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from load_tester.demand import FITTED, Demand, FixedDemand
from load_tester.text import plain_number, quoted

MAX_VEHICLES = 1_000_000
_GROUPS = re.compile(r"[+-]?\d{1,3}(_\d{3})+(\.\d*)?", re.ASCII)
_MAX_DIGITS = 20
_KEY = re.compile(r"[\x21-\x7e]{1,1000}")


def number(
    what: str, *, over: float | None = None, least: float = 0.0, most: float = 1e9
) -> Callable[[str], float]:
    """Return a parser of numbers: over or from a minimum, up to `most`."""
    bounds = f"over {over:g}" if over is not None else f"from {least:g}"
    bounds += f" to {most:.10g}"

    def read(text: str) -> float:
        value = _number(text)
        if not ((value > over if over is not None else value >= least) and value <= most):
            raise argparse.ArgumentTypeError(
                f"{quoted(text)} is not {what}: give a number {bounds}"
            )
        return value

    return read


def count(what: str, least: int = 1, most: int = MAX_VEHICLES) -> Callable[[str], int]:
    """Return a parser of whole numbers."""

    def read(text: str) -> int:
        digits = _without_groups(text)
        short = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
        if not (short and least <= int(digits) <= most):
            raise argparse.ArgumentTypeError(
                f"{quoted(text)} is not {what}: give a whole number from {least} to {most:,}"
            )
        return int(digits)

    return read


def _number(text: str) -> float:
    """Parse a number, optionally with Python's underscores as separators; otherwise NaN."""
    value = plain_number(_without_groups(text))
    return math.nan if value is None else value


def _without_groups(text: str) -> str:
    return text.replace("_", "") if _GROUPS.fullmatch(text) else text


def read_demand(text: str) -> Demand:
    """Parse an energy: the name of a fit, or kWh."""
    if text in FITTED:
        return FITTED[text]
    kwh = _number(text)
    if not 0 < kwh < math.inf:
        names = ", ".join(FITTED)
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not an energy: give {names}, or a number of kWh over 0"
        )
    return FixedDemand(kwh)


def read_powers(text: str) -> tuple[tuple[float, float], ...]:
    """Parse comma-separated powers, each optionally with a colon and its weight; 1 by default."""
    power = number("a power in kW", least=1, most=10_000)  # the range of a charge request
    weight = number("a weight", over=0)
    powers = []
    for part in text.split(","):
        kw, colon, share = part.strip().partition(":")
        powers.append((power(kw), weight(share) if colon else 1.0))
    return tuple(powers)


def read_url(text: str) -> str:
    """Parse a URL; a slash at its end is dropped."""
    if not _is_address(text):
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not an address: give it as http://127.0.0.1:8080"
        )
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        port = url.port  # raises if it is invalid
    except ValueError:
        return False
    userless = url.username is None and url.password is None
    plain = not (url.query or url.fragment) and text.isprintable() and " " not in text
    return (
        url.scheme in ("http", "https") and bool(url.hostname) and port != 0 and userless and plain
    )


def read_urls(text: str) -> tuple[str, ...]:
    """Parse comma-separated URLs."""
    return tuple(read_url(part.strip()) for part in text.split(",") if part.strip())


def read_key(text: str) -> str:
    """Read an API key from the named file; the key itself is never shown."""
    try:
        with Path(text).open(encoding="utf-8") as file:
            key = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not text"
        raise argparse.ArgumentTypeError(
            f"{text}: {reason.lower()}; name a file with a key"
        ) from None
    if not _KEY.fullmatch(key):
        raise argparse.ArgumentTypeError(f"{text}: has no key; it takes a single word, the key")
    return key
