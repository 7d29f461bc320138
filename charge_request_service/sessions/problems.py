"""Error responses about sessions."""

from http import HTTPStatus

from grid_common.api.problems import Problem, Unavailable

_RETRY_AFTER_S = 5.0


class SessionRunning(Problem):
    """The session with this key is running, and another caller waits for it."""

    status = HTTPStatus.CONFLICT
    type = "urn:ev-grid:problem:session-running"
    title = "The session with this key is running"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            "Another request with this Idempotency-Key is waiting for the session. Query it at "
            f"{location(session_id)}, or retry after that request has ended.",
            session_id=session_id,
            headers={"Location": location(session_id)},
        )


class KeyReused(Problem):
    """The key was used before, with another body."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "urn:ev-grid:problem:idempotency-key-reused"
    title = "This key was used for another charge"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            "This Idempotency-Key was used with another body. Send the same body to get that "
            "session's response, or a new key for a new charge.",
            session_id=session_id,
        )


class NoSuchSession(Problem):
    """The session is not in the ledger, or belongs to another caller."""

    status = HTTPStatus.NOT_FOUND
    type = "urn:ev-grid:problem:no-such-session"
    title = "No such session"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"You have no session {session_id[:64]!a} here. Ended sessions are kept for "
            "LEDGER_RETENTION."
        )


def ledger_unavailable(why: str, *, so: str = "no charge was begun") -> Unavailable:
    """Return the response if the ledger is unavailable; `so` says what that means."""
    return Unavailable(
        "ledger-away",
        f"The ledger of sessions cannot be used now ({why}); {so}.",
        retry_after_s=_RETRY_AFTER_S,
    )


def location(session_id: str) -> str:
    """Return the path of a session."""
    return f"/sessions/{session_id}"
