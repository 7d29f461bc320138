"""Vehicles for tests: many at once, each on a connection of its own."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass
class Ride:
    """One vehicle's request and what came of it."""

    sent: float
    answered: float = 0.0
    status: int = 0  # 0: no answer
    document: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


class Fleet:
    """Sends vehicles to `POST {url}/charge` and keeps what came back."""

    def __init__(self, url: str, *, patience_s: float = 0, **wish: object) -> None:
        """Prepare to send vehicles.

        Args:
            url: of the gateway, balancer or substation.
            patience_s: how long a vehicle tries again when it finds the door shut (no connection)
                or is told to come back (503), seconds.
            wish: what each asks for, such as `kwh=6`.
        """
        self.rides: list[Ride] = []
        self._patience_s = patience_s
        self._url = f"{url}/charge"
        self._wish = wish
        self._threads: list[threading.Thread] = []

    def send(self, count: int, *, rate: float = 0) -> "Fleet":
        """Send vehicles, `rate` a second or all at once, without waiting for their answers."""
        began = time.monotonic()
        for number in range(count):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            ride = Ride(time.monotonic())
            self.rides.append(ride)
            thread = threading.Thread(target=self._charge, args=(ride,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def wait(self, timeout_s: float = 60) -> "Fleet":
        """Wait for every answer."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"unanswered after {timeout_s} s: {self.statuses()}"
        return self

    def statuses(self) -> Counter[int]:
        """Count the answers by status."""
        return Counter(ride.status for ride in self.rides)

    def troubles(self) -> list[str]:
        """Describe every vehicle that was not charged."""
        return [
            f"{one.status} {one.document or one.error}" for one in self.rides if one.status != 200
        ]

    def by_site(self) -> Counter[str]:
        """Count the charged vehicles by site."""
        return Counter(ride.document["substation"] for ride in self.rides if ride.status == 200)

    def _charge(self, ride: Ride) -> None:
        deadline = ride.sent + self._patience_s
        while not self._try(ride) and time.monotonic() < deadline:
            time.sleep(0.1)
        ride.answered = time.monotonic()

    def _try(self, ride: Ride) -> bool:
        try:
            answer = requests.post(self._url, json=self._wish or None, timeout=120)
            ride.status, ride.document = answer.status_code, answer.json()
        except (requests.RequestException, ValueError) as error:
            ride.status, ride.error = 0, str(error)
        return ride.status not in (0, 503)
