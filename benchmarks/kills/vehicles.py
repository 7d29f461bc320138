"""Vehicles that come back: each keeps asking under its own key until it knows its end."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import requests

_FINAL = ("charged", "stopped", "refused")
_ASK_AGAIN_S = 0.15
_MAX_PAUSE_S = 0.5
_TIMEOUT_S = 30.0


class Manner(StrEnum):
    """How a vehicle asks."""

    HELD = "held"  # POST with a key, waits for its answer
    ASYNC = "async"  # respond-async with a key, asks for the session's state
    STOPPED = "stopped"  # async, and stops it on the way


@dataclass
class Vehicle:
    """One vehicle and what it was told.

    Attributes:
        number: its own.
        manner: how it asks.
        kwh: energy that it asks for, kWh.
        sessions: every session id that it was told; more than one is wrong.
        ends: every end that it was told, as (state, energy in kWh); they have to agree.
        asked_again: it knows its end, asked once more with its key, and was answered with an end.
        troubles: answers that should not be.
        tries: requests that it made.
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
        """How it ended, as it was told last."""
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
    """Drives one vehicle from its first request to its end."""

    def __init__(self, url: str, vehicle: Vehicle, give_up: threading.Event) -> None:
        self._url = url
        self._vehicle = vehicle
        self._give_up = give_up
        self._session = requests.Session()
        self._session.trust_env = False
        self._began = time.monotonic()

    def drive(self) -> None:
        """Ask until the end is known, or all are told to give up."""
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
        # The answer stays the answer: what is asked again is told the same.
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
                pass  # the part that held it is gone: it comes back
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
        """Take an answer in; True where it is the end."""
        self._note_session(response)
        if response.status_code == 200:
            return self._took_state(response.json())
        if response.status_code == 409:  # the other request of the same key is still there
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
            return  # it names what was refused: no session began, or none under that name
        location = response.headers.get("Location", "")
        if location.startswith("/sessions/"):
            self._vehicle.sessions.add(location.removeprefix("/sessions/"))
        try:
            document = response.json()
        except json.JSONDecodeError:
            return
        if isinstance(document, dict) and document.get("session_id"):
            self._vehicle.sessions.add(str(document["session_id"]))
