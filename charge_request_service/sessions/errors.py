"""What can be wrong with the ledger."""

import re

from sqlalchemy.exc import DBAPIError, OperationalError


class LedgerUnusable(Exception):
    """It cannot be used as it is; the message says what to do. Stops the start."""


class LedgerNotUp(LedgerUnusable):
    """Its server cannot be reached, or is only starting: a later attempt may find it."""


class LedgerAway(Exception):
    """It cannot be written or read now; the message says why, in a few words."""


_SAID = re.compile(r"\s+")
_MOST = 160


def is_not_up(error: DBAPIError) -> bool:
    """Tell a server that may be reached later from one that refuses this user or database."""
    said = str(error.orig)
    return isinstance(error, OperationalError) and (
        "FATAL" not in said or "the database system is" in said  # starting up, in recovery
    )


def why_away(error: DBAPIError | OSError) -> str:
    """Say in a few words why the database did not do what it was asked for."""
    said = _SAID.sub(" ", str(error.orig if isinstance(error, DBAPIError) else error)).strip()
    return said[:_MOST] or type(error).__name__
