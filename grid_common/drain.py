"""Draining: after SIGTERM a service takes nothing new and finishes what it has."""

from collections.abc import Callable

from gevent.event import Event

from grid_common.api.problem_type import problem_type, unavailable_type
from grid_common.api.problems import Unavailable
from grid_common.http.response import UpstreamResponse

# By then whatever stands in for this process can be expected to answer, seconds.
_RETRY_AFTER_S = 2.0
_REASON = "draining"
_TYPE = unavailable_type(_REASON)


def says_it_drains(answer: UpstreamResponse) -> bool:
    """Tell whether a service refused a vehicle because it shuts down."""
    return answer.status == 503 and problem_type(answer.content_type, answer.body) == _TYPE


class Drain:
    """Counts the vehicles in flight, refuses new ones while draining, tells when all have left."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._idle = Event()
        self._idle.set()
        self.active = False
        self.in_flight = 0
        self._vehicle = _Vehicle(self.took, self.left)
        self._any_vehicle = _Vehicle(self.kept, self.left)

    def vehicle(self) -> "_Vehicle":
        """Count one vehicle for as long as the block runs.

        Raises:
            Unavailable: on entering the block, the service drains.
        """
        return self._vehicle

    def any_vehicle(self) -> "_Vehicle":
        """Count one vehicle as `vehicle` does, but also while the service drains.

        It is no new one, or the block refuses it if it is.
        """
        return self._any_vehicle

    def took(self) -> None:
        """Count one more vehicle.

        Raises:
            Unavailable: the service drains.
        """
        self.refuse()
        self.kept()

    def kept(self) -> None:
        """Count one more vehicle that is no new one, as `left` counts one less."""
        self.in_flight += 1
        self._idle.clear()

    def left(self) -> None:
        """Count one vehicle less."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def refuse(self) -> None:
        """Refuse a new vehicle where the service drains.

        Raises:
            Unavailable: it does.
        """
        if self.active:
            raise Unavailable(
                _REASON,
                f"The {self._service} is shutting down and takes no new vehicle; try again.",
                retry_after_s=_RETRY_AFTER_S,
            )

    def begin(self) -> None:
        """Take nothing new from now on."""
        self.active = True

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no vehicle is in flight; False when `timeout_s` passed first."""
        return self._idle.wait(timeout_s)


class _Vehicle:
    """The block of a vehicle; written out, for `contextmanager` takes three times as long."""

    def __init__(self, took: Callable[[], object], left: Callable[[], object]) -> None:
        self._took = took
        self._left = left

    def __enter__(self) -> None:
        self._took()

    def __exit__(self, *_error: object) -> None:
        self._left()
