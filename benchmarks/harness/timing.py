"""Times single requests, one after the other, on a kept connection."""

import http.client
import time
from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.harness.errors import CannotMeasure

_NONE: Mapping[str, str] = MappingProxyType({})


class TimedCaller:
    """A caller with a connection of its own to a service on this machine."""

    def __init__(self, port: int, headers: Mapping[str, str] = _NONE) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json", **headers}

    def send(self, method: str, path: str, body: bytes | None = None) -> float:
        """Return how long the response took, seconds.

        Raises:
            CannotMeasure: it was not a 200.
        """
        began = time.perf_counter()
        try:
            answer = self._answer(method, path, body)
        except http.client.RemoteDisconnected:  # it had been idle for too long
            answer = self._answer(method, path, body)
        said = answer.read()
        took_s = time.perf_counter() - began
        if answer.status != http.HTTPStatus.OK:
            raise CannotMeasure(f"{method} {path} was answered {answer.status} {said[:200]!r}")
        return took_s

    def _answer(self, method: str, path: str, body: bytes | None) -> http.client.HTTPResponse:
        self._line.request(method, path, body, self._headers)
        return self._line.getresponse()
