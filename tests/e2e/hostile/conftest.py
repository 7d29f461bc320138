"""`--write-table` rewrites the table in docs/hostile-input.md."""

from collections.abc import Iterator

import pytest

from tests.e2e.hostile.table import Table


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write docs/hostile-input.md")


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    writes = request.config.getoption("--write-table")
    if writes and hasattr(request.config, "workerinput"):
        pytest.fail("the table is written by one process: make hostile ARGS='--write-table -n 0'")
    table = Table(writes=writes)
    yield table
    if not request.session.testsfailed:
        table.finish()
