"""The request ID that identifies a request in log lines and responses of every hop."""

import os
from typing import TYPE_CHECKING

from grid_common.api.identifier import ID

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST_ID_HEADER = "X-Request-ID"


def request_id(environ: "WSGIEnvironment") -> str:
    """Return the caller's request ID if its form is harmless; otherwise generate one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if ID.fullmatch(given) else os.urandom(8).hex()
