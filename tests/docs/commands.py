"""Every command that the README and the pages of docs/ print, in the order of the pages."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local_stack.process import ROOT

PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n)+")
_SPAN = re.compile(r"(?<![`\w])`([^`]+)`(?!`)")
# What a shell is given: a program of ours or of the docs, perhaps with settings before it.
_COMMAND = re.compile(
    r"(?:[A-Z_]+=\S* )*"
    r"(?:docker|make|curl|wget|sudo|export|git|grep|pip|python3?|npm|\.venv/bin/\w+) \S"
)
_SHELLS = {"sh", "bash", "console", "shell"}


@dataclass(frozen=True)
class Command:
    """One command of a page, without comments and on one line."""

    page: str
    line: int
    text: str
    answer: str = field(default="", compare=False)  # what a console block shows below it


def commands() -> list[Command]:
    """List the commands of all pages in order, each as often as it is printed."""
    return [command for page in PAGES for command in _of_page(page)]


def of_text(text: str) -> list[tuple[int, str, str]]:
    """Find the commands of a page: where each begins, the command, and what it answers.

    All lines of a block for a shell are commands; elsewhere what begins with a program is one.
    """
    found: list[_Found] = []
    for block in _FENCE.finditer(text):
        if block[1] in _SHELLS:
            found += _of_block(block[2], block.start(2), console=block[1] == "console")
    rest = _FENCE.sub(_blank, text)
    for block in _INDENTED.finditer(rest):
        lines = _of_block(block[0], block.start(), console=False)
        found += [one for one in lines if _COMMAND.match(one[1])]
    for span in _SPAN.finditer(_INDENTED.sub(_blank, rest)):
        words = " ".join(span[1].split())
        if _COMMAND.match(words):
            found.append((span.start(), words, ""))
    return sorted(found)


_Found = tuple[int, str, str]


def _blank(match: "re.Match[str]") -> str:
    """Return as much text without a word in it, so that what follows keeps its place."""
    return re.sub(r"[^\n]", " ", match[0])


def _of_page(page: Path) -> Iterator[Command]:
    text = page.read_text()
    for at, command, answer in of_text(text):
        yield Command(str(page.relative_to(ROOT)), text.count("\n", 0, at) + 1, command, answer)


def _of_block(block: str, start: int, *, console: bool) -> "list[_Found]":
    found: list[_Found] = []
    joined = re.sub(r"\\\n", lambda match: " " * len(match[0]), block)
    at = start
    for line in joined.splitlines(keepends=True):
        if console and not line.startswith("$ "):
            if found:
                found[-1] = (*found[-1][:2], found[-1][2] + line)
        elif command := _without_comment(line.removeprefix("$ ") if console else line):
            found.append((at, command, ""))
        at += len(line)
    return found


def _without_comment(line: str) -> str:
    return " ".join(re.sub(r"(^|\s)#.*", "", line).split())


@dataclass(frozen=True)
class Classes:
    """What becomes of each command: see commands.toml."""

    local: frozenset[str]
    compose: frozenset[str]
    swarm: tuple[str, ...]  # in the order in which they are typed
    not_run: frozenset[str]

    @property
    def swarm_start(self) -> tuple[str, ...]:
        """The commands that start the stack of Swarm."""
        (last,) = (at for at, text in enumerate(self.swarm) if "docker stack deploy" in text)
        return self.swarm[: last + 1]


def classes() -> Classes:
    """Read where each command is run."""
    found = tomllib.loads(Path(__file__).with_name("commands.toml").read_text())
    not_run = [text for texts in found["not_run"].values() for text in texts]
    return Classes(
        frozenset(found["local"]),
        frozenset(found["compose"]),
        tuple(found["swarm"]),
        frozenset(not_run),
    )
