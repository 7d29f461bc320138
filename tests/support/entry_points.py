"""Reads once which plug-ins the installed packages offer, when it is imported.

gevent asks for its plug-ins 25 times while it patches the standard library, and each time Python
reads a file of every installed package: half of the CPU time that a service takes to start.
"""

import importlib.metadata
from typing import Any

_metadata: Any = importlib.metadata
_installed = _metadata.entry_points()
_metadata.entry_points = lambda **wanted: _installed.select(**wanted)
