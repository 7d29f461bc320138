"""The copy of the project in which mutmut makes its changes.

mutmut leaves functions with decorators as they are. A decorator is a call (PEP 318), so in the copy
each is written as one, after a plain function, which mutmut then changes like any other.
"""

import shutil
import tomllib
from pathlib import Path

import libcst as cst

from local_stack.process import ROOT

FOLDER = ROOT / ".mutants"
# What mutmut makes plain by itself.
_PLAIN = ("classmethod", "staticmethod")
_LEFT_OUT = (".*", "__pycache__", "node_modules", "results", "images")


class _DecoratorsAsCalls(cst.CSTTransformer):
    """Writes `@a` above `def f` as `f = a(f)` below it."""

    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self,
        original_node: cst.FunctionDef,  # noqa: ARG002 - libcst's signature
        updated_node: cst.FunctionDef,
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        decorators = [one.decorator for one in updated_node.decorators]
        if not decorators or _is_plain(decorators):
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


def decorators_as_calls(code: str) -> str:
    """Write each decorator of a function as the call that it is."""
    return cst.parse_module(code).visit(_DecoratorsAsCalls()).code


def modules() -> list[str]:
    """List the files that are changed, as patterns below the root."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    only: list[str] = pyproject["tool"]["mutmut"]["only_mutate"]
    return only


def forget_tests(folder: Path) -> None:
    """Have mutmut find out again which tests reach which function.

    It would ask new tests alone, and take a function that is new to be reached by none of the old.
    """
    (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)


def make(*, anew: bool) -> Path:
    """Bring the copy in line with the project; `anew`, without what earlier runs found.

    Returns:
        Its folder.
    """
    if anew:
        shutil.rmtree(FOLDER, ignore_errors=True)
    forget_tests(FOLDER)
    shutil.copytree(
        ROOT, FOLDER, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True, symlinks=True
    )
    for pattern in modules():
        for path in sorted(FOLDER.glob(pattern)):
            path.write_text(decorators_as_calls(path.read_text()))
    return FOLDER
