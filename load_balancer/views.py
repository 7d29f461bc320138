"""What the balancer shows of its sites, as JSON documents."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from load_balancer.pool import Pool
from load_balancer.profile import SubstationProfile
from load_balancer.site import Site


def substations(pool: Pool, configuration_problem: str | None) -> dict[str, Any]:
    """Build the answer of `GET /substations`."""
    now = time.monotonic()
    return {
        "policy": pool.policy.name,
        "waiting": len(pool.waiting),
        "configuration_problem": configuration_problem,
        "substations": [_substation(site, now) for site in pool.sites.values()],
    }


def _substation(site: Site, now: float) -> dict[str, Any]:
    reading = site.reading
    return {
        "name": site.name,
        "address": site.address,
        "health": site.health.value,
        "reason": site.what_is_wrong(now),
        "warning": site.takes_none or site.warning,
        "gauge": reading.load if reading else None,
        "gauge_age_s": round(site.gauge_age_s(now), 3) if reading else None,
        "own_load": site.own,
        "foreign_load": site.foreign,
        "load": site.load,
        "capacity": reading.capacity if reading else None,
        "power_kw": reading.power_kw if reading else None,
        "power_limit_kw": reading.power_limit_kw if reading else None,
    }


def targets(pool: Pool, profiles: Mapping[str, SubstationProfile]) -> list[dict[str, Any]]:
    """Build the answer of `GET /targets`: every site for Prometheus, by the balancer's name."""
    return [
        _target(site, profiles[site.address])
        for site in pool.sites.values()
        if site.address.startswith("http://")  # another name of one that is there would count twice
    ]


def _target(site: Site, profile: SubstationProfile) -> dict[str, Any]:
    path, _, query = profile.metrics_path.partition("?")
    # Prometheus takes a query's parts one by one, and of each name the first.
    parts = {f"__param_{name}": value for name, value in reversed(parse_qsl(query))}
    return {
        "targets": [_page_netloc(site.address, profile.metrics_port)],
        "labels": {"substation": site.name, "__metrics_path__": path, **parts},
    }


def page_url(address: str, metrics_port: int | None) -> str:
    """Give the URL, without its path, of a site's metrics page."""
    return f"http://{_page_netloc(address, metrics_port)}"


def _page_netloc(address: str, metrics_port: int | None) -> str:
    netloc = urlsplit(address).netloc
    return f"{netloc.rpartition(':')[0]}:{metrics_port}" if metrics_port else netloc
