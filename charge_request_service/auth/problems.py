"""Error responses to callers that are not admitted."""

import math
from http import HTTPStatus

from grid_common.api.problems import Problem

_CHALLENGE = 'Bearer realm="ev-grid"'


class Misdirected(Problem):
    """The request's host name is not this gateway's."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    type = "urn:ev-grid:problem:misdirected"
    title = "Not a name of this gateway"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This gateway does not serve the name {host[:80]!a}. If it should, list the name in "
            "its setting ALLOWED_HOSTS."
        )


class Unauthorized(Problem):
    """The request has no API key, or an unknown one."""

    status = HTTPStatus.UNAUTHORIZED
    type = "urn:ev-grid:problem:unauthorized"
    title = "An API key is required"

    def __init__(self, *, presented: bool) -> None:
        super().__init__(
            "This API key is unknown or was revoked. Ask the operators of this gateway for one."
            if presented
            else "This gateway requires an API key: send yours in the header 'Authorization: "
            "Bearer KEY'. The operators of the gateway issue them.",
            headers={
                "WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'
                if presented
                else _CHALLENGE
            },
        )


class OperatorsOnly(Problem):
    """The caller's key is valid, but not an operator's."""

    status = HTTPStatus.FORBIDDEN
    type = "urn:ev-grid:problem:operators-only"
    title = "Operators only"

    def __init__(self) -> None:
        super().__init__(
            "This requires an operator's key: in the key file its line ends in `:operator`."
        )


class RateLimited(Problem):
    """The caller exceeds the rate limit."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "urn:ev-grid:problem:rate-limited"
    title = "Too many requests"

    def __init__(self, rate: str, *, retry_after_s: float) -> None:
        seconds = max(1, math.ceil(retry_after_s))
        super().__init__(
            f"The limit is {rate} per caller; try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
