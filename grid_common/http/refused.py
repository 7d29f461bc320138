"""Requests that never reach the application: why, and how to respond.

RefusedRequest
 ├── Malformed         the bytes are not a request that can be served
 └── TooMuchHeld  503  large requests use all the memory that they may
"""

from http import HTTPStatus


class RefusedRequest(Exception):
    """The application does not get this request; the connection ends with the response.

    Attributes:
        status: the response's status.
        detail: what is wrong, and the remedy.
        headers: further headers of the response.
    """

    def __init__(
        self, detail: str, status: HTTPStatus, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.headers = headers or {}


class Malformed(RefusedRequest):
    """The bytes are not a request that can be served."""

    def __init__(self, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(detail, status)


class TooMuchHeld(RefusedRequest):
    """Requests use all the memory they may; this large one must be sent again later."""

    def __init__(self) -> None:
        super().__init__(
            "Too many large requests are in flight; send a smaller one, or try again later.",
            HTTPStatus.SERVICE_UNAVAILABLE,
            {"Retry-After": "1"},
        )
