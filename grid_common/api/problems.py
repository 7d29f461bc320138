"""Errors as callers see them: `application/problem+json` (RFC 9457).

Problem
 ├── BadRequest          400  names each field, the fault and the remedy
 ├── BodyTooLarge        413
 ├── NotJson             415
 └── Unavailable         503  with Retry-After
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from grid_common.api.problem_type import CONTENT_TYPE, unavailable_type

# Maximum number of faults in a response: a body can contain thousands, and each takes more space in
# the response.
MAX_FAULTS = 10


class FieldFault(NamedTuple):
    """One thing that is wrong with a request."""

    field: str
    detail: str


class Problem(Exception):
    """An error response; raised anywhere in a request and rendered in one place."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    type = "about:blank"
    title = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        session_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.session_id = session_id
        self.headers = dict(headers or {})
        self.members = members

    def document(self) -> dict[str, Any]:
        """Return the RFC 9457 document."""
        document = {
            "type": self.type,
            "title": self.title,
            "status": int(self.status),
            "detail": self.detail,
            **self.members,
        }
        if self.session_id:
            document["session_id"] = self.session_id
        return document


class BadRequest(Problem):
    """The request is not valid; `faults` names each field."""

    status = HTTPStatus.BAD_REQUEST
    type = "urn:ev-grid:problem:bad-request"
    title = "The request is not valid"

    def __init__(self, faults: Sequence[FieldFault]) -> None:
        detail = "; ".join(f"{fault.field}: {fault.detail}" for fault in faults)
        super().__init__(detail, errors=[fault._asdict() for fault in faults])


class BodyTooLarge(Problem):
    """The body is larger than this service accepts."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    type = "urn:ev-grid:problem:body-too-large"
    title = "The body is too large"


class NotJson(Problem):
    """The body's content type is not JSON."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    type = "urn:ev-grid:problem:not-json"
    title = "The body is not declared as JSON"


class Unavailable(Problem):
    """A temporary refusal.

    `reason` ends the type URN; `retry_after_s` says when to retry, seconds.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not available now"

    def __init__(
        self, reason: str, detail: str, *, retry_after_s: float, session_id: str | None = None
    ) -> None:
        seconds = max(1, math.ceil(retry_after_s))
        super().__init__(detail, session_id=session_id, headers={"Retry-After": str(seconds)})
        self.reason = reason
        self.type = unavailable_type(reason)


def problem_response(problem: Problem) -> Response:
    """Render a problem as a response."""
    return Response(
        orjson.dumps(problem.document()),
        status=int(problem.status),
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )


def register_problem_handlers(app: Flask, explain: Callable[[HTTPException], str]) -> None:
    """Render every error of an app, including Flask's own, as a problem document.

    `explain` returns the detail text for one of Flask's own errors.
    """

    def own(problem: Problem) -> Response:
        return problem_response(problem)

    def http(error: HTTPException) -> Response:
        problem = Problem(explain(error))
        problem.status = HTTPStatus(error.code or 500)
        problem.title = problem.status.phrase
        response = problem_response(problem)
        for name, value in error.get_headers():
            if name.lower() != "content-type":
                response.headers[name] = value  # for example Allow on a 405
        return response

    def unexpected(error: Exception) -> Response:
        if isinstance(error, MemoryError):
            # The state of this process is now unknown. Ending it frees all that it holds, and
            # gunicorn starts another.
            os._exit(1)
        app.extensions["log"].exception("unexpected error", request_id=g.get("request_id"))
        return problem_response(Problem("The service met an unexpected error; see its log."))

    app.register_error_handler(Problem, own)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unexpected)
