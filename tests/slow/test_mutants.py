"""What `make mutants` makes of the code, and of what mutmut finds."""

import json
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.mutants.__main__ import run
from tests.mutants.score import EQUIVALENTS, Change, Equivalents, read, score
from tests.mutants.workspace import bring_in_line, decorators_as_calls, forget_tests, modules


def test_a_decorator_is_written_as_the_call_that_it_is() -> None:
    code = """
        class Substation:
            @property
            def load(self):
                return 1

            @field_validator("name")
            @classmethod
            def check(cls, value):
                return value

            @classmethod
            def make(cls):
                return cls()

            def plain(self):
                @app.get("/")
                def view():
                    return 2
        """
    assert decorators_as_calls(dedent(code)) == dedent("""
        class Substation:
            def load(self):
                return 1
            load = property(load)

            def check(cls, value):
                return value
            check = field_validator("name")(classmethod(check))

            @classmethod
            def make(cls):
                return cls()

            def plain(self):
                def view():
                    return 2
                view = app.get("/")(view)
        """)


def test_code_with_its_decorators_as_calls_does_the_same() -> None:
    code = """
        class Substation:
            @property
            def load(self):
                return self.kept

            @load.setter
            def load(self, load):
                self.kept = load

            @staticmethod
            def name():
                return "a"
        """
    names: dict[str, type] = {}
    exec(decorators_as_calls(dedent(code)), names)  # noqa: S102 - the test's own code
    substation = names["Substation"]()
    substation.load = 3
    assert (substation.load, substation.name()) == (3, "a")


PROJECT = {
    "pyproject.toml": """
        [tool.mutmut]
        source_paths = ["core"]
        pytest_add_cli_args_test_selection = ["tests"]
        process_isolation = "forkserver"
        """,
    "core/points.py": """
        def free(points, load):
            return points - load


        class Substation:
            def is_full(self, load):
                if load >= 4:  # all are taken: no part of a change
                    return True
                return False
        """,
    "tests/test_points.py": """
        from core.points import Substation, free

        def test_points():
            assert free(4, 1) == 3
            assert Substation().is_full(9)
            assert not Substation().is_full(3)
        """,
}
EQUIVALENT = """
    [[equivalent]]
    reason = "for the test"
    function = "core.points.Substation.is_full"
    was = "if load >= 4:"
    becomes = ["if load > 4:", "if load >= 6:"]
    """


def lay_out(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def test_what_the_tests_do_not_notice_is_alive_unless_it_is_listed(tmp_path: Path) -> None:
    lay_out(tmp_path, PROJECT)

    run(tmp_path, [], processes=1, minutes=4)
    mutants = list(read(tmp_path, ["core/*.py"]))
    result = score(tmp_path, mutants, Equivalents(EQUIVALENT), whole=True)

    function = "core.points.Substation.is_full"
    assert result.alive == [Change(function, "if load >= 4:", "if load >= 5:")]
    assert result.unmet == [Change(function, "if load >= 4:", "if load >= 6:")]
    [row] = result.rows
    assert row.not_tried == 0
    assert (row.module, row.equivalent, row.made - row.noticed) == ("core/points", 1, 2)
    assert result.total.score == pytest.approx(100 * row.noticed / (row.made - 1))
    assert f"alive: {function}\n  - if load >= 4:\n  + if load >= 5:" in result.text()

    # A function that is new is reached by a test that is not.
    points = tmp_path / "core" / "points.py"
    points.write_text(
        points.read_text().replace("return points - load", "return less(points, load)")
        + "\n\ndef less(one, other):\n    return one - other\n"
    )
    forget_tests(tmp_path, {Path("core/points.py")})
    run(tmp_path, [], processes=1, minutes=4)
    again = [one for one in read(tmp_path, ["core/*.py"]) if "x_less" in one.name]
    assert {one.status for one in again} == {"killed"}

    # Of code that has changed since it was tried nothing is known.
    later = list(read(tmp_path, ["core/*.py"], is_current=lambda path: path.name != "points.py"))
    result = score(tmp_path, later, Equivalents(""), whole=True)
    assert result.total.not_tried == result.total.made == len(later) > 0
    assert result.total.score == 0
    assert f" {len(later)} not tried" in result.text()


ENDLESS = {
    **PROJECT,
    "core/points.py": """
        def count(until):
            points = 0
            while points < until:
                points += 1
            return points
        """,
    "tests/test_points.py": """
        from core.points import count

        def test_points():
            assert count(2) == 2
        """,
}


def test_a_test_that_a_change_makes_endless_is_ended_by_the_cpu_time_that_it_takes(
    tmp_path: Path,
) -> None:
    lay_out(tmp_path, ENDLESS)
    worker = Path(__file__).parents[1] / "mutants" / "worker.py"
    lay_out(tmp_path, {"tests/worker.py": worker.read_text()})
    with (tmp_path / "pyproject.toml").open("a") as pyproject:
        pyproject.write('pytest_add_cli_args = ["-p", "tests.worker"]\ntimeout_constant = 600\n')

    began = time.monotonic()
    run(tmp_path, [], processes=1, minutes=4)

    found = {one.status for one in read(tmp_path, ["core/*.py"])}
    assert "timeout" in found
    assert "not checked" not in found
    assert time.monotonic() - began < 120


def test_a_copy_is_brought_in_line_with_the_project_and_keeps_what_mutmut_found(
    tmp_path: Path,
) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    lay_out(root, {**PROJECT, "results/1.txt": "1", ".git/head": "x"})

    assert bring_in_line(root, copy) == {Path(name) for name in PROJECT}
    assert (copy / "core/points.py").read_text() == (root / "core/points.py").read_text()
    assert not (copy / "results").exists()
    assert bring_in_line(root, copy) == set()

    lay_out(copy, {f"mutants/{name}": "" for name in ("core/points.py", "core/points.py.meta")})
    lay_out(copy, {"mutants/core/other.py.meta": "", "mutmut.log": ""})
    (root / "core/points.py").unlink()
    lay_out(root, {"tests/test_points.py": "1"})
    assert bring_in_line(root, copy) == {Path("core/points.py"), Path("tests/test_points.py")}
    assert not list(copy.rglob("points.py*"))
    assert (copy / "mutants/core/other.py.meta").exists()
    assert (copy / "mutmut.log").exists()


TESTS = [f"tests/test_{name}.py::test" for name in "abc"]
STATS: dict[str, dict[str, Any]] = {
    "duration_by_test": dict.fromkeys(TESTS, 1.0),
    "tests_by_mangled_function_name": {"core.a.x_f": TESTS[:2], "core.b.x_f": TESTS[1:]},
}


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        (["docs/a.md"], TESTS),
        (["tests/test_a.py"], TESTS[1:]),
        (["core/a.py"], TESTS[2:]),
        (["core/other.py"], TESTS),
        (["tests/test_a.py", "core/b.py"], []),
        (["tests/grid.py"], []),
    ],
)
def test_what_tests_reach_is_asked_again_of_those_that_may_reach_other_functions(
    tmp_path: Path, changed: list[str], left: list[str]
) -> None:
    stats = tmp_path / "mutants" / "mutmut-stats.json"
    lay_out(tmp_path, {"mutants/mutmut-stats.json": json.dumps(STATS)})

    forget_tests(tmp_path, {Path(name) for name in changed})
    if not left:
        assert not stats.exists()
        return
    found = json.loads(stats.read_text())
    assert list(found["duration_by_test"]) == left
    for function, tests in STATS["tests_by_mangled_function_name"].items():
        kept = [test for test in tests if test in left]
        assert found["tests_by_mangled_function_name"][function] == kept


def test_an_equivalent_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no reason is given for core.points.Substation.is_full"):
        Equivalents(EQUIVALENT.replace("for the test", ""))


def test_what_is_listed_is_of_the_code_that_there_is() -> None:
    root = EQUIVALENTS.parents[2]
    code = {
        ".".join(path.relative_to(root).with_suffix("").parts): path.read_text()
        for pattern in modules()
        for path in root.glob(pattern)
    }
    for change in Equivalents(EQUIVALENTS.read_text()).unmet():
        [module] = [name for name in code if change.function.startswith(f"{name}.")]
        *_, name = change.function.split(".")
        assert f"def {name}(" in code[module]
        assert change.was in " ".join(line.strip() for line in code[module].splitlines())
