"""The files of results, from which reports are derived."""

import json
import os
import re
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import ClassVar, Self

from pydantic import TypeAdapter, ValidationError

from benchmarks.harness.errors import CannotMeasure

# Lists of numbers, which `json` indents one per line: they are easier to compare on one line.
_NUMBER = r"(?:-?\d[\d.]*(?:e[-+]?\d+)?|null)"
_NUMBERS = re.compile(rf"\[\s*({_NUMBER}(?:,\s*{_NUMBER})*)\s*\]")


class Stored:
    """Results that are kept in a file, from which the report is derived.

    Attributes:
        written_by: the command that writes the file, as errors name it.
    """

    written_by: ClassVar[str]

    def save(self, file: Path) -> None:
        """Write everything as JSON."""
        save(file, self)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read the file that `save` wrote.

        Raises:
            CannotMeasure: it does not exist, or is something else.
        """
        try:
            return TypeAdapter(cls).validate_json(file.read_bytes())
        except OSError as error:
            raise CannotMeasure(
                f"{file}: {error.strerror}; run `{cls.written_by}` to write it"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise CannotMeasure(
                f"{file}: {where}: {first['msg']}; run `{cls.written_by}` to write it again"
            ) from None


def to_json(results: object) -> str:
    """Return results as JSON; dataclasses and named tuples may be in them."""
    text = json.dumps(results, indent=1, default=_plain)
    return f"{_NUMBERS.sub(_join, text)}\n"


def save(file: Path, results: object) -> None:
    """Write results as JSON, atomically: readers find the old file or the new one, never a part."""
    write_whole(file, to_json(results))


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
