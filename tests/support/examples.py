"""How many examples a property is tried with: `HYPOTHESIS_PROFILE` is quick, full or explore.

`make test` is quick. `make test-slow` runs all that is here with the full number. To explore is to
try new examples, and many times as many, each time.
"""

import os
from collections.abc import Iterable

from hypothesis import HealthCheck, settings

_FACTORS = {"quick": 0.1, "full": 1.0, "explore": 40.0}
_LEAST = 3
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")


def examples(
    full: int, *, steps: int | None = None, unchecked: Iterable[HealthCheck] = ()
) -> settings:
    """Return the settings of a property that takes long.

    Args:
        full: number of examples of a full run.
        steps: maximum number of steps of each example, if it is of a state machine.
        unchecked: what hypothesis is not to complain of.
    """
    parent = settings.get_profile("grid")  # of tests/conftest.py
    return settings(
        parent,
        max_examples=max(_LEAST, round(full * _FACTORS[_PROFILE])),
        stateful_step_count=steps or parent.stateful_step_count,
        derandomize=_PROFILE != "explore",
        suppress_health_check=[*parent.suppress_health_check, *unchecked],
    )
