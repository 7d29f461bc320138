"""IDs of sessions, vehicles, requests and owners: their form, and the ID of a request."""

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
ID_HELP = "1 to 64 characters of A-Z a-z 0-9 . _ : -"
# Identifies a request in the log lines and responses of every hop.
REQUEST_ID_HEADER = "X-Request-ID"


def request_id(environ: "WSGIEnvironment") -> str:
    """Return the caller's request ID if its form is harmless; otherwise generate one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if ID.fullmatch(given) else os.urandom(8).hex()
