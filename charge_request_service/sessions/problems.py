"""What callers are told of sessions that they cannot have."""

from http import HTTPStatus

from grid_common.api.problems import Problem, Unavailable

_RETRY_AFTER_S = 5.0


class SessionRunning(Problem):
    """The session with this key runs, and another caller waits for it."""

    status = HTTPStatus.CONFLICT
    type = "urn:ev-grid:problem:session-running"
    title = "The session with this key is running"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            "Another request with this Idempotency-Key is being answered. Ask for its session at "
            f"{location(session_id)}, or come again once that caller is gone.",
            session_id=session_id,
            headers={"Location": location(session_id)},
        )


class KeyReused(Problem):
    """The key came before, with something else in the body."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "urn:ev-grid:problem:idempotency-key-reused"
    title = "This key belongs to another charge"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            "This Idempotency-Key came before with another body. Send the same body to get that "
            "session's answer, or a new key for a new charge.",
            session_id=session_id,
        )


class NoSuchSession(Problem):
    """It is not in the ledger, or not this caller's."""

    status = HTTPStatus.NOT_FOUND
    type = "urn:ev-grid:problem:no-such-session"
    title = "No such session"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"No session {session_id[:64]!a} of yours is known here; finished ones are kept for "
            "LEDGER_RETENTION."
        )


def ledger_unavailable(why: str, *, so: str = "no charge was begun") -> Unavailable:
    """Say that the ledger is unavailable, and what that means for the caller."""
    return Unavailable(
        "ledger-away",
        f"The ledger of sessions cannot be used now ({why}); {so}.",
        retry_after_s=_RETRY_AFTER_S,
    )


def location(session_id: str) -> str:
    """Return where a session is found."""
    return f"/sessions/{session_id}"
