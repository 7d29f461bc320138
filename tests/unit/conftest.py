"""State that every unit test leaves unchanged."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Undo what a service's log was set up to be: it may write to a test's captured stdout."""
    yield
    structlog.reset_defaults()
