"""How the tests run on a change: those that are most likely to notice it first, and none for ever.

A plugin of pytest, which mutmut's processes load.
"""

import gc
import json
import os
import resource
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from mutmut.mutation.trampoline import get_mutant_under_test

# To look for the least example of what fails takes longer than all else. The project's own profile,
# which tests/conftest.py makes of what holds then, has no phases.
settings.register_profile("change", phases=(Phase.explicit, Phase.generate))
settings.load_profile("change")
# Fewer examples notice fewer changes.
os.environ.setdefault("HYPOTHESIS_PROFILE", "full")

# What a test may take of a CPU, seconds: so much, and so many times what it took without a change.
# What only waits for its turn on a busy machine takes none.
_LEAST_CPU_S, _TIMES = 5.0, 10.0


@cache
def durations() -> dict[str, float]:
    """Read how long each test took without a change, seconds; in mutmut's folder alone."""
    try:
        found: dict[str, float] = json.loads(Path("mutmut-stats.json").read_text())[
            "duration_by_test"
        ]
    except FileNotFoundError:
        return {}
    return found


def _changed_module() -> str | None:
    module, mutated, _ = get_mutant_under_test().rpartition("__mutmut_")[0].rpartition(".")
    return module.rpartition(".")[2] if mutated else None


def pytest_configure() -> None:
    """Spare each garbage collection all that was there before: it takes longer than most tests."""
    if _changed_module() is not None:
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a module's own tests first, and of each kind the quickest."""
    known, own = durations(), f"test_{_changed_module()}"
    items.sort(key=lambda item: (item.path.stem != own, known.get(item.nodeid, 0.0)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """End the process (SIGXCPU) where a test of a change takes far longer than without it."""
    if _changed_module() is not None:
        allowed_s = _LEAST_CPU_S + _TIMES * durations().get(item.nodeid, 0.0)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (round(time.process_time() + allowed_s), most))
