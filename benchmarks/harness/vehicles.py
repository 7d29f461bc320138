"""Vehicles that retry with their own key until they know how their session ended."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import requests

_FINAL = ("charged", "stopped", "refused")
_ASK_AGAIN_S = 0.15
_MAX_PAUSE_S = 0.5
_TIMEOUT_S = 30.0


class Manner(StrEnum):
    """How a vehicle sends its requests."""

    HELD = "held"  # POST with a key, waits for the response
    ASYNC = "async"  # respond-async with a key, queries the session's state
    STOPPED = "stopped"  # async, and stops the session on the way


@dataclass
class Vehicle:
    """One vehicle and the responses that it got.

    Attributes:
        number: its number.
        manner: how it sends its requests.
        kwh: requested energy, kWh.
        sessions: every session ID that it was given; more than one is an error.
        ends: every end that was reported to it, as (state, energy in kWh); all must agree.
        asked_again: it knows its end, sent its key once more, and was told an end again.
        troubles: unexpected responses.
        tries: number of its requests.
        longest_s: its longest time without a session's end, seconds.
    """

    number: int
    manner: Manner
    kwh: float
    stop_after_s: float = 0.0
    doubled: bool = False
    sessions: set[str] = field(default_factory=set)
    ends: list[tuple[str, float]] = field(default_factory=list)
    asked_again: bool = False
    troubles: list[str] = field(default_factory=list)
    tries: int = 0
    longest_s: float = 0.0

    @property
    def key(self) -> str:
        """Its Idempotency-Key."""
        return f"kills-{self.number}"

    @property
    def state(self) -> str | None:
        """How its session ended, as last reported."""
        return self.ends[-1][0] if self.ends else None


def draw(number: int, rng: random.Random) -> Vehicle:
    """Draw a vehicle."""
    manner = rng.choices(list(Manner), [0.55, 0.35, 0.1])[0]
    return Vehicle(
        number,
        manner,
        round(rng.uniform(2.0, 16.0), 3),
        stop_after_s=rng.uniform(0.0, 2.0),
        doubled=rng.random() < 0.1,
    )


class Driver:
    """Runs one vehicle from its first request to its end."""

    def __init__(self, url: str, vehicle: Vehicle, give_up: threading.Event) -> None:
        self._url = url
        self._vehicle = vehicle
        self._give_up = give_up
        self._session = requests.Session()
        self._session.trust_env = False
        self._began = time.monotonic()

    def drive(self) -> None:
        """Send requests until the end is known, or all vehicles are told to give up."""
        vehicle = self._vehicle
        if vehicle.doubled:  # a caller that sends twice at once, as impatient programs do
            twin = threading.Thread(target=Driver(self._url, vehicle, self._give_up)._ask_once)
            twin.start()
        if vehicle.manner is Manner.HELD:
            self._until(self._ask_held)
        else:
            self._until(self._ask_async)
            if vehicle.manner is Manner.STOPPED and vehicle.state is None:
                self._give_up.wait(vehicle.stop_after_s)
                self._until(self._stop)
            if vehicle.state is None:
                self._until(self._look)
        # A repeated request must get the same response.
        if vehicle.state is not None:
            vehicle.asked_again = self._until(self._ask_held)
        vehicle.longest_s = time.monotonic() - self._began
        self._session.close()

    def _until(self, step: Callable[[], bool]) -> bool:
        while not self._give_up.is_set():
            self._vehicle.tries += 1
            try:
                if step():
                    return True
            except requests.RequestException:
                pass  # the part that held the request is gone, and will return
            self._give_up.wait(_ASK_AGAIN_S)
        return False

    def _ask_once(self) -> None:
        with suppress(requests.RequestException):
            self._ask_held()

    def _post(self, **headers: str) -> requests.Response:
        vehicle = self._vehicle
        return self._session.post(
            f"{self._url}/charge",
            json={"vehicle_id": f"EV-{vehicle.number}", "kwh": vehicle.kwh},
            headers={"Idempotency-Key": vehicle.key, **headers},
            timeout=(2, _TIMEOUT_S),
        )

    def _ask_held(self) -> bool:
        response = self._post()
        return self._took_end(response)

    def _ask_async(self) -> bool:
        response = self._post(Prefer="respond-async")
        if response.status_code == 202:
            self._note_session(response)
            return True
        return self._took_end(response)

    def _look(self) -> bool:
        session_id = next(iter(self._vehicle.sessions))
        response = self._session.get(f"{self._url}/sessions/{session_id}", timeout=(2, 5))
        return response.status_code == 200 and self._took_state(response.json())

    def _stop(self) -> bool:
        session_id = next(iter(self._vehicle.sessions))
        response = self._session.delete(f"{self._url}/sessions/{session_id}", timeout=(2, 10))
        if response.status_code == 200:
            self._took_state(response.json())
            return True
        return False

    def _took_end(self, response: requests.Response) -> bool:
        """Process a response; return True if it reports the end."""
        self._note_session(response)
        if response.status_code == 200:
            return self._took_state(response.json())
        if response.status_code == 409:  # another request with the same key is in progress
            return False
        if response.status_code == 503:
            pause_s = float(response.headers.get("Retry-After", "0"))
            self._give_up.wait(min(_MAX_PAUSE_S, pause_s))
            return False
        text = f"{response.status_code} {response.text[:200]}"
        if text not in self._vehicle.troubles:
            self._vehicle.troubles.append(text)
        return False

    def _took_state(self, document: dict[str, Any]) -> bool:
        state = document.get("state") or document.get("status")
        if state not in _FINAL:
            return False
        self._vehicle.ends.append((str(state), float(document.get("energy_kwh") or 0.0)))
        return True

    def _note_session(self, response: requests.Response) -> None:
        if response.status_code == 503:
            return  # an error document: no session began, or none with that ID
        location = response.headers.get("Location", "")
        if location.startswith("/sessions/"):
            self._vehicle.sessions.add(location.removeprefix("/sessions/"))
        try:
            document = response.json()
        except json.JSONDecodeError:
            return
        if isinstance(document, dict) and document.get("session_id"):
            self._vehicle.sessions.add(str(document["session_id"]))


class Arrivals:
    """Vehicles that arrive at random times, each driven in its own thread."""

    def __init__(
        self,
        url: str,
        rng: random.Random,
        rate_per_s: float,
        draw: Callable[[int, random.Random], Vehicle] = draw,
    ) -> None:
        """Prepare; `draw` returns the vehicle of a number, from 1."""
        self.vehicles: list[Vehicle] = []
        self._url, self._rng, self._rate_per_s, self._draw = url, rng, rate_per_s, draw
        self._drivers: list[threading.Thread] = []
        self._over, self._give_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._arrive, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._give_up.set()

    def finish(self, within_s: float) -> None:
        """Let no more arrive, and wait until the last ones know their ends."""
        self._over.set()
        self._thread.join()
        deadline = time.monotonic() + within_s
        for driver in self._drivers:
            driver.join(max(0.0, deadline - time.monotonic()))
        self._give_up.set()

    def _arrive(self) -> None:
        while not self._over.wait(self._rng.expovariate(self._rate_per_s)):
            vehicle = self._draw(len(self.vehicles) + 1, self._rng)
            driver = threading.Thread(
                target=Driver(self._url, vehicle, self._give_up).drive, daemon=True
            )
            self.vehicles.append(vehicle)
            self._drivers.append(driver)
            driver.start()
