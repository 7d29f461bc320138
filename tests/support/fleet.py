"""Vehicles for tests: many at once, each on its own connection."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

# Time after which a vehicle retries after a refused or lost connection, seconds.
_AGAIN_S = 0.1


@dataclass
class FleetSession:
    """One vehicle's request and its result."""

    sent: float
    answered: float = 0.0
    status: int = 0  # 0: no response
    document: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    charge_request: Mapping[str, object] = field(default_factory=dict)
    tries: int = 0


class Fleet:
    """Sends vehicles to `POST {url}/charge` and records the responses."""

    def __init__(self, url: str, *, patience_s: float = 0, **charge_request: object) -> None:
        """Prepare to send vehicles.

        Args:
            url: URL of the gateway, balancer or substation.
            patience_s: how long a vehicle retries without a connection or after a 503 with
                Retry-After, seconds.
            charge_request: what each asks for, such as `kwh=6`; a function is called with the
                vehicle's number, such as `vehicle_id="EV-{}".format`.
        """
        self.sessions: list[FleetSession] = []
        self._patience_s = patience_s
        self._url = f"{url}/charge"
        self._charge_request = charge_request
        self._threads: list[threading.Thread] = []

    def send(self, count: int, *, rate: float = 0) -> "Fleet":
        """Send vehicles, `rate` per second or all at once, without waiting for their responses."""
        began = time.monotonic()
        for number in range(count):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            session = FleetSession(
                time.monotonic(), charge_request=self._request_of(len(self.sessions))
            )
            self.sessions.append(session)
            thread = threading.Thread(target=self._charge, args=(session,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def wait(self, timeout_s: float = 60) -> "Fleet":
        """Wait for every response."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), f"unanswered after {timeout_s} s: {self.statuses()}"
        return self

    def statuses(self) -> Counter[int]:
        """Return the number of responses by status."""
        return Counter(session.status for session in self.sessions)

    def troubles(self) -> list[str]:
        """Describe every vehicle that was not charged."""
        return [
            f"{one.status} {one.document or one.error}"
            for one in self.sessions
            if one.status != 200
        ]

    def by_substation(self) -> Counter[str]:
        """Return the number of charged vehicles by substation."""
        return Counter(
            session.document["substation"] for session in self.sessions if session.status == 200
        )

    def _request_of(self, number: int) -> dict[str, object]:
        return {
            name: value(number) if callable(value) else value
            for name, value in self._charge_request.items()
        }

    def _charge(self, session: FleetSession) -> None:
        deadline = session.sent + self._patience_s
        while (
            pause_s := self._try(session)
        ) is not None and time.monotonic() + pause_s <= deadline:
            time.sleep(pause_s)
        session.answered = time.monotonic()

    def _try(self, session: FleetSession) -> float | None:
        """Try once; return the seconds until the next try, or None for no other."""
        session.tries += 1
        try:
            answer = requests.post(self._url, json=session.charge_request or None, timeout=120)
            session.status, session.document = answer.status_code, answer.json()
        except (requests.RequestException, ValueError) as error:
            session.status, session.error = 0, str(error)
            return _AGAIN_S
        reported = answer.headers.get("Retry-After")
        return float(reported) if answer.status_code == 503 and reported else None
