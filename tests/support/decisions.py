"""All decisions that a balancer still knows, page by page."""

from typing import Any

import requests


def all_decisions(url: str) -> list[dict[str, Any]]:
    """Read the balancer's decisions, there or through the gateway."""
    listed: list[dict[str, Any]] = []
    since = 0
    while True:
        page = requests.get(f"{url}/decisions?since={since}", timeout=5).json()
        listed += page["decisions"]
        if page["next"] is None:
            return listed
        since = page["next"]
