"""Follows accepted sessions to their end by querying the gateway for their state."""

from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import gevent
from gevent.lock import BoundedSemaphore

from load_tester.pages import PageMissing, Pages
from load_tester.response import HttpResponse, apply_session
from load_tester.vehicle import Charge, Outcome

_MAX_A_SECOND = 100
_AT_ONCE = 8
_PAGE_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.2, 5.0
_MAX_PREDICTED_S = 60.0  # so that thousands of sessions that charge for hours share the rate
_NOT_THERE = (401, 403, 404, 405, 410, 501)


class SessionFollower:
    """Limits the queries of all sessions of a run together.

    The gateway reports to the millisecond when a session ended, so rare queries lose no precision.
    """

    def __init__(self, url: str, api_key: str | None) -> None:
        self._url = f"{url}/charge"
        self._pages = Pages(_PAGE_TIMEOUT_S, api_key)
        self._turn = BoundedSemaphore(1)
        self._connections = BoundedSemaphore(_AT_ONCE)

    def follow(self, charge: Charge, response: HttpResponse) -> float | None:
        """Wait until the session of a 202 has ended, and record its end.

        Without a `Location` the vehicle stays accepted. A gateway that does not respond is queried
        again until the vehicle's timeout.

        Returns:
            How long the session took, seconds; None if unknown.
        """
        address = self._address(response.headers.get("location", ""))
        if address is None:
            return None
        pause = _FIRST_PAUSE_S
        while True:
            gevent.sleep(pause)
            pause = min(_MAX_PAUSE_S, 2 * pause)
            try:
                document = self._ask(address)
            except PageMissing as error:
                if error.status in _NOT_THERE:
                    charge.outcome = Outcome.FAILED
                    charge.reason = f"accepted, but its session {error}"
                    return None
                continue
            if apply_session(charge, document):
                return _took_s(document)
            left = document.get("predicted_end_s")
            if isinstance(left, (int, float)):
                pause = min(_MAX_PREDICTED_S, max(_FIRST_PAUSE_S, left))

    def _address(self, location: str) -> str | None:
        try:
            address = urljoin(self._url, location)
            # The key of this gateway is not sent to others.
            here = urlsplit(address)[:2] == urlsplit(self._url)[:2]
        except ValueError:
            return None
        return address if location and here else None

    def _ask(self, address: str) -> dict[str, Any]:
        with self._turn:
            gevent.sleep(1 / _MAX_A_SECOND)
        with self._connections:
            return self._pages.document(address)


def _took_s(document: dict[str, Any]) -> float | None:
    try:
        began, ended = (datetime.fromisoformat(document[name]) for name in ("began", "ended"))
        return (ended - began).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None
