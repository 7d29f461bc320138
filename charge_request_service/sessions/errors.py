"""What can be wrong with the ledger."""

import re

from sqlalchemy.exc import DBAPIError


class LedgerUnusable(Exception):
    """It cannot be used as it is; the message says what to do. Stops the start."""


class LedgerAway(Exception):
    """It cannot be written or read now; the message says why, in a few words."""


_SAID = re.compile(r"\s+")
_MOST = 160


def why_away(error: DBAPIError | OSError) -> str:
    """Say in a few words why the database did not do what it was asked for."""
    said = _SAID.sub(" ", str(error.orig if isinstance(error, DBAPIError) else error)).strip()
    return said[:_MOST] or type(error).__name__
