"""What the server needs of the application that it serves."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from grid_common.http.refused import RefusedRequest


class Drain(Protocol):
    """The requests that must end before the process may exit."""

    active: bool  # whether the application drains
    in_flight: int  # how many of these requests there are

    def begin(self) -> None:
        """Start to drain: accept no new ones from now on."""

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until none is in flight; return False if `timeout_s` passed first."""


class Application(Protocol):
    """A WSGI application that can drain, and responds to requests that do not reach it."""

    leaves_at_once: bool  # whether the process exits right after the drain, with all connections
    max_body_bytes: int  # maximum size of a body that it accepts

    @property
    def drain(self) -> Drain:
        """Its drain."""

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Respond to a request, as WSGI has it."""

    def allow_connections(self, connections: int) -> None:
        """Learn how many connections there may be at once."""

    def refuse(
        self, error: "RefusedRequest", environ: "WSGIEnvironment"
    ) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the response to a refused request.

        `environ` has the part of the request that was parsed.
        """
