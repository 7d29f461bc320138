"""Errors of the ledger."""

from sqlalchemy.exc import DBAPIError, OperationalError

_MAX_MESSAGE = 160


class LedgerUnusable(Exception):
    """The ledger cannot be used as it is; the message says what to do. Stops the start."""


class LedgerNotReady(LedgerUnusable):
    """The ledger's server is not reachable or still starting; a later attempt may succeed."""


class LedgerUnavailable(Exception):
    """The ledger cannot be written or read now; the message says briefly why."""


def may_be_ready_later(error: DBAPIError) -> bool:
    """Return whether a retry may succeed, because the server did not refuse user or database."""
    message = str(error.orig)
    return isinstance(error, OperationalError) and (
        "FATAL" not in message or "the database system is" in message  # starting, in recovery
    )


def short_message(error: DBAPIError | OSError) -> str:
    """Return the database's own error message on one line, cut to 160 characters."""
    message = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    return message[:_MAX_MESSAGE] or type(error).__name__
