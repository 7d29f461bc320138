"""Draining: after SIGTERM a service accepts no new vehicle and finishes those in flight."""

from collections.abc import Callable

from gevent.event import Event

from grid_common.api.problem_type import DRAINING
from grid_common.api.problems import Unavailable

# By then the replacement of this process should respond, seconds.
_RETRY_AFTER_S = 2.0


class Drain:
    """Counts vehicles in flight, refuses new ones while draining, reports when all have left."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._idle = Event()
        self._idle.set()
        self.active = False
        self.in_flight = 0
        self._vehicle = _Vehicle(self.add_new, self.remove)
        self._any_vehicle = _Vehicle(self.add, self.remove)

    def vehicle(self) -> "_Vehicle":
        """Return a block that counts one vehicle while it runs.

        Raises:
            Unavailable: on entering the block, if the service drains.
        """
        return self._vehicle

    def any_vehicle(self) -> "_Vehicle":
        """Return a block that counts one vehicle while it runs, also while the service drains.

        For vehicles that are not new, or that the block itself refuses.
        """
        return self._any_vehicle

    def add_new(self) -> None:
        """Count one more vehicle, which is new.

        Raises:
            Unavailable: the service is draining.
        """
        self.refuse()
        self.add()

    def add(self) -> None:
        """Count one more vehicle, also while draining; `remove` counts it out again."""
        self.in_flight += 1
        self._idle.clear()

    def remove(self) -> None:
        """Count one vehicle fewer."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def refuse(self) -> None:
        """Refuse a new vehicle if the service is draining.

        Raises:
            Unavailable: it is.
        """
        if self.active:
            raise Unavailable(
                DRAINING,
                f"The {self._service} is shutting down and takes no new vehicle; try again.",
                retry_after_s=_RETRY_AFTER_S,
            )

    def begin(self) -> None:
        """Start to drain: accept no new vehicle from now on."""
        self.active = True

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no vehicle is in flight; return False if `timeout_s` passed first."""
        return self._idle.wait(timeout_s)


class _Vehicle:
    """The block of a vehicle. A class, because `contextmanager` takes three times as long."""

    def __init__(self, add: Callable[[], object], remove: Callable[[], object]) -> None:
        self._add = add
        self._remove = remove

    def __enter__(self) -> None:
        self._add()

    def __exit__(self, *_error: object) -> None:
        self._remove()
