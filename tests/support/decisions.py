"""Reads all decisions that a balancer still has, page by page."""

from typing import Any

import requests


def all_decisions(url: str) -> list[dict[str, Any]]:
    """Return the balancer's decisions, from itself or through the gateway."""
    listed: list[dict[str, Any]] = []
    since = 0
    while True:
        page = requests.get(f"{url}/decisions?since={since}", timeout=5).json()
        listed += page["decisions"]
        if page["next"] is None:
            return listed
        since = page["next"]
