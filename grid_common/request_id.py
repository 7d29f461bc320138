"""The request ID that identifies a request in log lines and responses of every hop."""

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REQUEST_ID_HEADER = "X-Request-ID"
_FORM = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def request_id(environ: "WSGIEnvironment") -> str:
    """Return the caller's request ID if its form is harmless; otherwise generate one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if _FORM.fullmatch(given) else os.urandom(8).hex()
