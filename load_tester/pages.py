"""Reads the grid's pages, for the watch beside a run."""

import http.client
import json
from typing import Any

import urllib3

_MOST_PAGE_BYTES = 16 << 20


class PageMissing(Exception):
    """A page that could not be read; the message says why, in a few words."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    """Reads the grid's pages with GET, over connections of its own."""

    def __init__(self, timeout: float, api_key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key is not None else None
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, headers=headers)
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)

    def text(self, url: str) -> str:
        """Return a page.

        Raises:
            PageMissing: none came, or not with status 200.
        """
        try:
            response = self._pool.request("GET", url, timeout=self._timeout, preload_content=False)
            try:
                content = response.read(_MOST_PAGE_BYTES, decode_content=True)
                response.drain_conn()
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, http.client.HTTPException) as error:
            raise PageMissing(_page_fault(error)) from None
        if response.status != 200:
            raise PageMissing(f"answered {response.status}", response.status)
        return content.decode("utf-8", "replace")

    def document(self, url: str) -> dict[str, Any]:
        """Return a page that is a JSON object.

        Raises:
            PageMissing: none came, or it is something else.
        """
        try:
            document = json.loads(self.text(url))
        except (ValueError, RecursionError):
            raise PageMissing("is not JSON") from None
        if not isinstance(document, dict):
            raise PageMissing("is not a JSON object")
        return document


def _page_fault(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name was not found"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        refused = isinstance(error.__cause__, ConnectionRefusedError)
        return "refused the connection" if refused else "cannot be reached"
    if isinstance(error, (urllib3.exceptions.TimeoutError, TimeoutError)):
        return "did not answer in time"
    return "broke the connection off"
