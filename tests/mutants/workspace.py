"""The copy of the project in which mutmut makes its changes.

mutmut leaves functions with decorators as they are. A decorator is a call (PEP 318), so in the copy
each is written as one, after a plain function, which mutmut then changes like any other.
"""

import json
import shutil
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import libcst as cst

from local_stack.process import ROOT

FOLDER = ROOT / ".mutants"
LOG = "mutmut.log"
# Where mutmut keeps its own copy, and what it found, below the folder.
_MUTMUTS = Path("mutants")
# What mutmut makes plain by itself.
_PLAIN = ("classmethod", "staticmethod")
_OF_A_PROPERTY = ("setter", "deleter")
_LEFT_OUT = (".*", "__pycache__", "node_modules", "results", "images")


class _DecoratorsAsCalls(cst.CSTTransformer):
    """Writes `@a` above `def f` as `f = a(f)` below it."""

    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self,
        original_node: cst.FunctionDef,  # noqa: ARG002 - libcst's signature
        updated_node: cst.FunctionDef,
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        decorators = [one.decorator for one in updated_node.decorators]
        if not decorators or _is_plain(decorators) or any(map(_is_of_a_property, decorators)):
            return updated_node
        value: cst.BaseExpression = updated_node.name
        for decorator in reversed(decorators):
            value = cst.Call(decorator, [cst.Arg(value)])
        call = cst.Assign([cst.AssignTarget(updated_node.name)], value)
        return cst.FlattenSentinel(
            [updated_node.with_changes(decorators=()), cst.SimpleStatementLine([call])]
        )


def _is_plain(decorators: list[cst.BaseExpression]) -> bool:
    first = decorators[0]
    return len(decorators) == 1 and isinstance(first, cst.Name) and first.value in _PLAIN


def _is_of_a_property(decorator: cst.BaseExpression) -> bool:
    """Say whether it is `@name.setter`: a function of that name would hide the property."""
    return isinstance(decorator, cst.Attribute) and decorator.attr.value in _OF_A_PROPERTY


def decorators_as_calls(code: str) -> str:
    """Write each decorator of a function as the call that it is."""
    return cst.parse_module(code).visit(_DecoratorsAsCalls()).code


@cache
def modules() -> list[str]:
    """List the files that are changed, as patterns below the root."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    only: list[str] = pyproject["tool"]["mutmut"]["only_mutate"]
    return only


def code_of(path: Path, root: Path = ROOT) -> bytes:
    """Return what the copy has for a file of the project."""
    if any(path.relative_to(root).match(pattern) for pattern in modules()):
        return decorators_as_calls(path.read_text()).encode()
    return path.read_bytes()


def make(*, anew: bool) -> Path:
    """Bring the copy in line with the project; `anew`, without what earlier runs found.

    What was found of a function is kept for as long as the function stays as it is.

    Returns:
        Its folder.
    """
    if anew:
        shutil.rmtree(FOLDER, ignore_errors=True)
    forget_tests(FOLDER, bring_in_line(ROOT, FOLDER))
    return FOLDER


def is_current(path: Path) -> bool:
    """Say whether the copy of a file, named below the root, is in line with the project."""
    source, copy = ROOT / path, FOLDER / path
    return source.exists() and copy.exists() and copy.read_bytes() == code_of(source)


def bring_in_line(root: Path, folder: Path) -> set[Path]:
    """Make a copy of the project what the project is.

    Returns:
        What was changed, added or taken out, as paths below the root.
    """
    changed: set[Path] = set()
    there: set[Path] = set()
    for path in _files(root):
        name = path.relative_to(root)
        there.add(name)
        code, copy = code_of(path, root), folder / name
        if not copy.exists() or copy.read_bytes() != code:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(code)
            changed.add(name)
        copy.chmod(path.stat().st_mode)
    for path in _files(folder):
        name = path.relative_to(folder)
        if name not in there and name.parts[0] != _MUTMUTS.name and path.name != LOG:
            changed.add(name)
            for gone in (path, *(folder / _MUTMUTS).glob(f"{name}*")):
                gone.unlink()
    return changed


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if any(path.match(pattern) for pattern in _LEFT_OUT):
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


def forget_tests(folder: Path, changed: Iterable[Path]) -> None:
    """Have mutmut find out again which functions are reached by tests that may reach others now.

    It would ask new tests alone, and take a function that is new to be reached by none of the old.
    Tests are asked again that have changed, or reach a module that has; all, where what several of
    them use has. One that is missed only lets a change live.
    """
    stats = folder / _MUTMUTS / "mutmut-stats.json"
    if not stats.exists():
        return
    found = json.loads(stats.read_text())
    durations, tests_of = found["duration_by_test"], found["tests_by_mangled_function_name"]
    gone: set[str] = set()
    for path in (path for path in changed if path.suffix == ".py"):
        if path.parts[0] != "tests":
            module = f"{'.'.join(path.with_suffix('').parts)}."
            reached = (tests for name, tests in tests_of.items() if name.startswith(module))
            gone.update(*reached)
        elif path.name.startswith("test_"):
            gone.update(test for test in durations if test.startswith(f"{path}::"))
        else:
            gone.update(durations)
    found["duration_by_test"] = {test: took for test, took in durations.items() if test not in gone}
    found["tests_by_mangled_function_name"] = {
        name: [test for test in tests if test not in gone] for name, tests in tests_of.items()
    }
    if found["duration_by_test"]:
        stats.write_text(json.dumps(found))
    else:
        stats.unlink()
