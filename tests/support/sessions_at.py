"""Session calls at one substation."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from local_stack.process import Process
from local_stack.scrape import scrape
from tests.support.deadline import eventually

DURABLE = {"Session-Grace": "60"}


class Substation:
    """A substation, and calls about one session."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._callers = ThreadPoolExecutor(16)

    def charge(
        self,
        session: str,
        kwh: float,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30,
    ) -> requests.Response:
        return requests.post(
            f"{self.process.url}/charge",
            json={"session_id": session, "vehicle_id": "EV-1", "kwh": kwh},
            headers=headers,
            timeout=timeout_s,
        )

    def begin(
        self, session: str, kwh: float, headers: Mapping[str, str] | None = None
    ) -> "Future[requests.Response]":
        """Start a session and return once it is charging."""
        future = self._callers.submit(self.charge, session, kwh, headers)
        eventually(lambda: self._charges(session))
        return future

    def disconnect(
        self,
        session: str,
        kwh: float,
        headers: Mapping[str, str] | None = None,
        after_s: float = 0.3,
    ) -> None:
        """Start a session, and disconnect it."""
        with pytest.raises(requests.Timeout):
            self.charge(session, kwh, headers, after_s)

    def show(self, session: str) -> dict[str, Any]:
        document: dict[str, Any] = requests.get(
            f"{self.process.url}/sessions/{session}", timeout=5
        ).json()
        return document

    def stop(self, session: str) -> requests.Response:
        return requests.delete(f"{self.process.url}/sessions/{session}", timeout=5)

    def progress(self, owner: str | None = None) -> dict[str, float]:
        reported: dict[str, float] = self.progress_document(owner)["sessions"]
        return reported

    def progress_document(self, owner: str | None = None) -> dict[str, Any]:
        headers = {"Session-Owner": owner} if owner else {}
        answer = requests.get(f"{self.process.url}/progress", headers=headers, timeout=5)
        document: dict[str, Any] = answer.json()
        return document

    def metrics(self) -> dict[str, float]:
        return scrape(self.process.url)

    def _charges(self, session: str) -> None:
        assert self.show(session).get("state") == "charging"
