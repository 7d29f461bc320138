"""Reads the grid's pages."""

import socket
from collections.abc import Iterator
from typing import Any

import requests

from load_tester.response import json_object

_MAX_PAGE_BYTES = 16 << 20
_PART_BYTES = 1 << 16


class PageMissing(Exception):
    """A page could not be read; the message says why in a few words."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    """Reads the grid's pages with GET, over its own connections."""

    def __init__(self, timeout: float, api_key: str | None = None) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # use no proxy or password of the environment
        if api_key is not None:
            self._session.headers["Authorization"] = f"Bearer {api_key}"
        self._timeout = timeout

    def text(self, url: str) -> str:
        """Return a page's text.

        Raises:
            PageMissing: there is no response, or not with status 200.
        """
        try:
            with self._session.get(
                url, timeout=self._timeout, stream=True, allow_redirects=False
            ) as response:
                content = b""
                for part in response.iter_content(_PART_BYTES):
                    content += part
                    if len(content) >= _MAX_PAGE_BYTES:
                        break
        except requests.RequestException as error:
            raise PageMissing(_page_fault(error)) from None
        if response.status_code != 200:
            raise PageMissing(f"answered {response.status_code}", response.status_code)
        return content.decode("utf-8", "replace")

    def document(self, url: str) -> dict[str, Any]:
        """Return a page that is a JSON object.

        Raises:
            PageMissing: there is no response, or it is something else.
        """
        document = json_object(self.text(url))
        if document is None:
            raise PageMissing("is not a JSON object")
        return document


def _page_fault(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "did not respond in time"
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "its name was not found"
            case ConnectionRefusedError():
                return "refused the connection"
            case ConnectionError():
                return "broke the connection"
            case OSError(errno=int()):
                return "cannot be reached"
    return "broke the connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, nearest first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
