"""What came of the changes that mutmut made: noticed, equivalent, or alive."""

import contextlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
# A change that makes a test loop or its process die is noticed too.
_NOTICED = frozenset({"killed", "timeout", "segfault"})
_NOT_TRIED = "not checked"


class Change(NamedTuple):
    """One small change to the code, by what it is and not by a number that moves."""

    function: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}\n  - {self.was}\n  + {self.becomes}"


@dataclass(frozen=True)
class Mutant:
    """A change and what came of it; `name` is mutmut's."""

    name: str
    module: str
    status: str

    @property
    def noticed(self) -> bool:
        """Whether a test failed."""
        return self.status in _NOTICED

    def change(self) -> Change:
        """Say what was changed; in mutmut's folder alone."""
        lines = get_diff_for_mutant(self.name, path=f"{self.module}.py").splitlines()[3:]
        was, becomes = (
            " ".join(_code(line[1:]) for line in lines if line.startswith(sign)) for sign in "-+"
        )
        module = self.module.replace("/", ".")
        function = self.name.removeprefix(f"{module}.").rpartition("__mutmut_")[0]
        return Change(f"{module}.{_plain(function)}", was, becomes)


def _code(line: str) -> str:
    """Leave out the comment, which is reworded while the code stays."""
    return line.partition("  # ")[0].strip()


def _plain(mangled: str) -> str:
    """Spell mutmut's name of a function as Python does."""
    return mangled.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")


class Equivalents:
    """Changes that no test can notice, each with its reason."""

    def __init__(self, text: str) -> None:
        """Read the list.

        Raises:
            KeyError: an entry lacks a member.
            ValueError: it is no TOML, or an entry gives no reason.
        """
        self._known: set[Change] = set()
        self._met: set[Change] = set()
        for entry in tomllib.loads(text).get("equivalent", []):
            if not entry["reason"]:
                raise ValueError(f"no reason is given for {entry['function']}: {entry['was']}")
            for becomes in entry["becomes"]:
                self._known.add(Change(entry["function"], entry["was"], becomes))

    def __contains__(self, change: Change) -> bool:
        if change not in self._known:
            return False
        self._met.add(change)
        return True

    def unmet(self) -> list[Change]:
        """List those that were not among the survivors: the code or the tests have changed."""
        return sorted(self._known - self._met)


@dataclass
class Row:
    """One module's figures."""

    module: str
    made: int = 0
    not_tried: int = 0
    noticed: int = 0
    equivalent: int = 0

    @property
    def score(self) -> float:
        """Share of the changes noticed, of those that are not equivalent, percent."""
        tried = self.made - self.equivalent
        return 100 * self.noticed / tried if tried else 100.0

    def __str__(self) -> str:
        figures = f"{self.made:>7} {self.noticed:>7} {self.equivalent:>10}"
        note = f"  {self.not_tried} not tried" if self.not_tried else ""
        return f"{self.module:<40} {figures} {self.score:>5.1f}%{note}"


def read(
    folder: Path, patterns: Sequence[str], *, is_current: Callable[[Path], bool] = lambda _: True
) -> Iterator[Mutant]:
    """Read what mutmut has found.

    Args:
        folder: where it ran.
        patterns: of the files that it changed.
        is_current: whether a file, named below the root, is still what was tried.
    """
    results = folder / "mutants"
    for path in sorted(path for pattern in patterns for path in results.glob(f"{pattern}.meta")):
        file = path.relative_to(results).with_suffix("")
        current = is_current(file)
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            status = status_by_exit_code[code] if current else _NOT_TRIED
            yield Mutant(name, str(file.with_suffix("")), status)


@dataclass
class Score:
    """The figures of a run, module by module, and what is alive."""

    rows: list[Row]
    alive: list[Change]
    unmet: list[Change]

    @property
    def total(self) -> Row:
        """Sum the modules up."""
        return Row(
            "all",
            sum(row.made for row in self.rows),
            sum(row.not_tried for row in self.rows),
            sum(row.noticed for row in self.rows),
            sum(row.equivalent for row in self.rows),
        )

    def text(self) -> str:
        """Write it for people: survivors first, then the table."""
        lines = [f"alive: {change}" for change in self.alive]
        lines += [
            f"listed as equivalent, but not alive: {change}\n  take it out of {EQUIVALENTS.name}"
            for change in self.unmet
        ]
        lines.append(f"{'module':<40} changes noticed equivalent  score")
        lines += [str(row) for row in (*self.rows, self.total)]
        return "\n".join(lines)


def score(
    folder: Path, mutants: Iterable[Mutant], equivalents: Equivalents, *, whole: bool
) -> Score:
    """Bring results and equivalents together.

    Args:
        folder: where mutmut ran.
        mutants: what it found.
        equivalents: the list.
        whole: all was tried, so that an equivalent that was not met is one no longer.
    """
    rows: dict[str, Row] = {}
    alive: list[Change] = []
    with contextlib.chdir(folder):
        for mutant in mutants:
            row = rows.setdefault(mutant.module, Row(mutant.module))
            row.made += 1
            if mutant.noticed:
                row.noticed += 1
            elif mutant.status == _NOT_TRIED:
                row.not_tried += 1
            elif (change := mutant.change()) in equivalents:
                row.equivalent += 1
            else:
                alive.append(change)
    result = Score(list(rows.values()), alive, [])
    if whole and not result.total.not_tried:
        result.unmet = equivalents.unmet()
    return result
