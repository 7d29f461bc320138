"""The files of results, from which reports are derived."""

import json
import os
import re
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
# Lists of numbers, which `json` indents one per line: they are easier to compare on one line.
_NUMBER = r"(?:-?\d[\d.]*(?:e[-+]?\d+)?|null)"
_NUMBERS = re.compile(rf"\[\s*({_NUMBER}(?:,\s*{_NUMBER})*)\s*\]")


class ResultsError(ValueError):
    """A results file cannot be read; the message names it and the fault."""


def to_json(results: object) -> str:
    """Return results as JSON; dataclasses and named tuples may be in them."""
    text = json.dumps(results, indent=1, default=_plain)
    return f"{_NUMBERS.sub(_join, text)}\n"


def save(file: Path, results: object) -> None:
    """Write results as JSON, atomically: readers find the old file or the new one, never a part."""
    write_whole(file, to_json(results))


def load(kind: type[T], file: Path, *, written_by: str) -> T:
    """Read the file that `save` wrote.

    Args:
        kind: the type of the results.
        file: the file.
        written_by: the command that writes it.

    Raises:
        ResultsError: it does not exist, or is something else.
    """
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except OSError as error:
        raise ResultsError(f"{file}: {error.strerror}; run `{written_by}` to write it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(
            f"{file}: {where}: {first['msg']}; run `{written_by}` to write it again"
        ) from None


def write_whole(file: Path, text: str) -> None:
    """Write a file atomically."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(file)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(type(value).__name__)


def _join(numbers: re.Match[str]) -> str:
    return f"[{' '.join(numbers[1].split())}]"
