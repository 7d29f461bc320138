"""What callers are told who are not let in."""

import math
from http import HTTPStatus

from grid_common.api.problems import Problem

_CHALLENGE = 'Bearer realm="ev-grid"'


class Misdirected(Problem):
    """The request was sent to a name that is not this gateway's."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    type = "urn:ev-grid:problem:misdirected"
    title = "Not a name of this gateway"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"This gateway does not answer to {host[:80]!a}. If it should, list the name in its "
            "setting ALLOWED_HOSTS."
        )


class Unauthorized(Problem):
    """No key, or none that is known here."""

    status = HTTPStatus.UNAUTHORIZED
    type = "urn:ev-grid:problem:unauthorized"
    title = "An API key is needed"

    def __init__(self, *, presented: bool) -> None:
        super().__init__(
            "This API key is not known here, or no longer. Ask those who run this gateway for one."
            if presented
            else "This gateway takes API keys: send yours in the header 'Authorization: Bearer "
            "KEY'. Those who run it give them out.",
            headers={
                "WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'
                if presented
                else _CHALLENGE
            },
        )


class OperatorsOnly(Problem):
    """The caller's key is good, but does not let it do this."""

    status = HTTPStatus.FORBIDDEN
    type = "urn:ev-grid:problem:operators-only"
    title = "This is for operators"

    def __init__(self) -> None:
        super().__init__(
            "This needs an operator's key: in the file of API keys its line ends in `:operator`."
        )


class RateLimited(Problem):
    """This caller asks too often."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "urn:ev-grid:problem:rate-limited"
    title = "Too many requests"

    def __init__(self, rate: str, *, retry_after_s: float) -> None:
        seconds = max(1, math.ceil(retry_after_s))
        super().__init__(
            f"The limit is {rate} for each caller; come back in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )
