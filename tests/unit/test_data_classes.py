"""What data classes of the services may add to a class: objects with state print no state."""

import dataclasses
import importlib
from types import ModuleType

import pytest

from tests.unit.test_imports import FILES, SERVICES

_MODULES = [
    name
    for name in FILES
    if name.startswith((*SERVICES, "grid_common"))
    and not name.endswith("__main__")
    and ".migrations" not in name
]


def _with_identity(module: ModuleType) -> list[type]:
    """Return the data classes of a module whose objects are equal only to themselves."""
    return [
        one
        for one in vars(module).values()
        if isinstance(one, type)
        and dataclasses.is_dataclass(one)
        and one.__module__ == module.__name__
        and one.__eq__ is object.__eq__
    ]


@pytest.mark.parametrize("name", _MODULES)
def test_an_object_with_state_is_printed_without_it(name: str) -> None:
    # gevent prints the object whose method ended with an error: all sessions of a process, in one
    # line, while no other greenlet runs.
    for one in _with_identity(importlib.import_module(name)):
        assert vars(one).get("__repr__") is None, f"{one.__name__}: add repr=False"


def test_there_are_objects_with_state() -> None:
    classes = {
        one.__name__ for name in _MODULES for one in _with_identity(importlib.import_module(name))
    }
    assert {"Registers", "Journal", "Poller", "Peers", "DurableSessions"} <= classes
