"""A real balancer in front of some substations, for tests."""

from typing import Any

import requests

from local_stack.process import Process
from tests.conftest import StartService
from tests.support.deadline import PATIENCE_S, eventually


def substations(balancer: Process) -> dict[str, dict[str, Any]]:
    grid = requests.get(f"{balancer.url}/substations", timeout=5).json()
    return {substation["name"]: substation for substation in grid["substations"]}


def start_balancer(start_service: StartService, *urls: str, **settings: object) -> Process:
    named = ",".join(f"substation{number}={url}" for number, url in enumerate(urls, start=1))
    return start_service("load_balancer", path="/healthz", SUBSTATIONS=named, **settings)


def start_ready_balancer(start_service: StartService, *urls: str, **settings: object) -> Process:
    """Start a balancer, and wait until all of its substations are up."""
    balancer = start_balancer(start_service, *urls, **settings)
    for number in range(1, len(urls) + 1):
        wait_for_health(balancer, f"substation{number}", "up")
    return balancer


def wait_for_health(
    balancer: Process, name: str, health: str, within_s: float = PATIENCE_S
) -> dict[str, Any]:
    def check() -> dict[str, Any]:
        substation = substations(balancer).get(name, {})
        assert substation.get("health") == health, substation
        return substation

    return eventually(check, within_s)
