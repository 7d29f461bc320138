"""Who may import whom: the table in docs/architecture.md holds, and no imports run in a circle."""

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from local_stack.process import ROOT

SERVICES = ("charge_request_service", "load_balancer", "substation_service")

_INDEX = "load_balancer.routing.index"


class Import(NamedTuple):
    """A module imports another one of this project."""

    by: str
    module: str


def _name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def packages() -> dict[str, list[str]]:
    """Return what each package of the table may import: packages, or parts of one."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Parts\n")[2].partition("\n\nNo service")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line[:3] == "| `"]
    return {
        folder.strip("`/"): re.findall(r"`([\w.]+)`", may_import) for folder, _, may_import in rows
    }


FILES = {
    _name(file): file for folder in (*packages(), "tests") for file in (ROOT / folder).rglob("*.py")
}


def imports_in(by: str, source: str, modules: Mapping[str, object]) -> Iterator[Import]:
    """Yield what a module imports from this project, also if only type checkers see it."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{by} has a relative import"
            names = [
                whole if (whole := f"{node.module}.{alias.name}") in modules else str(node.module)
                for alias in node.names
            ]
        for name in names:
            if name in modules:
                yield Import(by, name)


@functools.cache  # two seconds of CPU time, for those who run these tests and no others
def all_imports() -> list[Import]:
    """Return what all modules import."""
    return [
        one
        for by, file in FILES.items()
        for one in imports_in(by, file.read_text(encoding="utf-8"), FILES)
    ]


def is_in(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def circle(imports: list[Import]) -> list[str]:
    """Return the modules of a circle of imports; none if there is none."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        graph.setdefault(one.by, set()).add(one.module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_the_table_has_a_row_for_every_package() -> None:
    with_python = {file.relative_to(ROOT).parts[0] for file in ROOT.glob("*/__init__.py")}
    assert {*SERVICES, "grid_common"} < with_python <= set(packages())


@pytest.mark.parametrize("package", packages())
def test_a_package_imports_only_what_the_table_says(package: str) -> None:
    allowed = [package, *packages()[package]]
    assert not [
        one
        for one in all_imports()
        if is_in(one.by, package) and not any(is_in(one.module, other) for other in allowed)
    ]


@pytest.mark.parametrize("package", packages())
def test_a_package_imports_everything_that_the_table_says(package: str) -> None:
    imported = [one.module for one in all_imports() if is_in(one.by, package)]
    assert not [
        other
        for other in packages()[package]
        if not any(is_in(module, other) for module in imported)
    ]


def test_no_service_imports_another_and_the_shared_plumbing_imports_none() -> None:
    assert not [
        one
        for one in all_imports()
        for service in SERVICES
        if is_in(one.module, service)
        and any(is_in(one.by, other) for other in (*SERVICES, "grid_common") if other != service)
    ]


def test_the_http_server_and_client_could_be_a_package_of_their_own() -> None:
    http = "grid_common.http"
    assert not [one for one in all_imports() if is_in(one.by, http) and not is_in(one.module, http)]
    about_charging = re.compile(r"(?i)vehicle|\bcharg|substation|\bgrid\b|\burn:")
    assert not [
        f"{name}: {line}"
        for name, file in FILES.items()
        if is_in(name, http)
        for line in file.read_text(encoding="utf-8").splitlines()
        if about_charging.search(line)
    ]


def test_no_imports_run_in_a_circle_not_even_those_for_types() -> None:
    assert circle(all_imports()) == []


def modules_of_the_balancer(heading: str, end: str) -> list[str]:
    """Return the modules that docs/architecture.md names between two texts."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    text = page.partition(heading)[2].partition(end)[0]
    names = {name.rpartition(".")[2]: name for name in FILES if is_in(name, "load_balancer")}
    found = [names[word] for word in re.findall(r"`(\w+)`", text) if word in names]
    return found + [name for name in FILES if is_in(name, _INDEX) if "`index/`" in text]


PURE = modules_of_the_balancer("**Pure** modules", "**Side effects**")


def test_every_module_of_the_balancer_is_either_pure_or_has_side_effects() -> None:
    others = modules_of_the_balancer("**Side effects**", "The gateway's modules")
    packages_alone = {"load_balancer", "load_balancer.__main__", "load_balancer.routing"}
    every = {name for name in FILES if is_in(name, "load_balancer")} - packages_alone
    assert sorted([*PURE, *others]) == sorted(every)


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_reads_no_clock_and_touches_no_network(module: str) -> None:
    source = FILES[module].read_text(encoding="utf-8")
    assert not re.findall(
        r"^\s*(?:from|import) (?:gevent|flask|socket|time|threading)\b", source, re.M
    )
    assert not [
        one
        for one in all_imports()
        if one.by == module and is_in(one.module, "load_balancer") and one.module not in PURE
    ]


def test_all_kinds_of_imports_are_found() -> None:
    source = """
import json, b.c
from typing import TYPE_CHECKING
from b import c, D
if TYPE_CHECKING:
    from b.e import F
def late():
    from b.e import F
"""
    assert sorted(imports_in("a", source, {"a": 0, "b": 0, "b.c": 0, "b.e": 0})) == [
        ("a", "b"),
        ("a", "b.c"),
        ("a", "b.c"),
        ("a", "b.e"),
        ("a", "b.e"),
    ]
    assert circle([Import("a", "b"), Import("b", "a")]) != []
