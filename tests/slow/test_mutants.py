"""What `make mutants` makes of the code, and of what mutmut finds."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.mutants.__main__ import run
from tests.mutants.score import EQUIVALENTS, Change, Equivalents, read, score
from tests.mutants.workspace import decorators_as_calls, forget_tests, modules


def test_a_decorator_is_written_as_the_call_that_it_is() -> None:
    code = """
        class Site:
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
        class Site:
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
        class Site:
            @property
            def load(self):
                return 3

            @staticmethod
            def name():
                return "a"
        """
    names: dict[str, type] = {}
    exec(decorators_as_calls(dedent(code)), names)  # noqa: S102 - the test's own code
    site = names["Site"]()
    assert (site.load, site.name()) == (3, "a")


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


        class Site:
            def is_full(self, load):
                if load >= 4:
                    return True
                return False
        """,
    "tests/test_points.py": """
        from core.points import Site, free

        def test_points():
            assert free(4, 1) == 3
            assert Site().is_full(9)
            assert not Site().is_full(3)
        """,
}
EQUIVALENT = """
    [[equivalent]]
    reason = "for the test"
    function = "core.points.Site.is_full"
    was = "if load >= 4:"
    becomes = ["if load > 4:", "if load >= 6:"]
    """


def test_what_the_tests_do_not_notice_is_alive_unless_it_is_listed(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))

    run(tmp_path, [], processes=1, minutes=4)
    mutants = list(read(tmp_path, ["core/*.py"]))
    result = score(tmp_path, mutants, Equivalents(EQUIVALENT), whole=True)

    function = "core.points.Site.is_full"
    assert result.alive == [Change(function, "if load >= 4:", "if load >= 5:")]
    assert result.unmet == [Change(function, "if load >= 4:", "if load >= 6:")]
    assert result.not_tried == 0
    [row] = result.rows
    assert (row.module, row.equivalent, row.made - row.noticed) == ("core/points", 1, 2)
    assert result.total.score == pytest.approx(100 * row.noticed / (row.made - 1))
    assert f"alive: {function}\n  - if load >= 4:\n  + if load >= 5:" in result.text()

    # A function that is new is reached by a test that is not.
    points = tmp_path / "core" / "points.py"
    points.write_text(
        points.read_text().replace("return points - load", "return less(points, load)")
        + "\n\ndef less(one, other):\n    return one - other\n"
    )
    forget_tests(tmp_path)
    run(tmp_path, [], processes=1, minutes=4)
    again = [one for one in read(tmp_path, ["core/*.py"]) if "x_less" in one.name]
    assert {one.status for one in again} == {"killed"}


def test_an_equivalent_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no reason is given for core.points.Site.is_full"):
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
