"""The balancer's substations, as JSON documents."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from load_balancer.profile import SubstationProfile
from load_balancer.routing.matching import Deferred
from load_balancer.routing.pool import Pool
from load_balancer.routing.substation import Substation


def substations(pool: Pool, configuration_problem: str | None) -> dict[str, Any]:
    """Return the response of `GET /substations`."""
    now = time.monotonic()
    return {
        "policy": pool.policy.name,
        "waiting": len(pool.waiting),
        "configuration_problem": configuration_problem,
        "left_in_line": [_deferred(one, now) for one in pool.deferred],
        "substations": [
            substation_document(substation, now) for substation in pool.substations.values()
        ],
    }


def _deferred(deferred: Deferred, now: float) -> dict[str, Any]:
    """Return the document of a deferred vehicle; there are at most 8."""
    queued, choice = deferred
    prediction = choice.prediction
    return {
        "session_id": queued.session_id,
        "vehicle_id": queued.vehicle_id,
        "substation": choice.candidate.name,
        "waited_s": round(now - queued.arrived, 3),
        "predicted_start_s": round(prediction.start_s, 3) if prediction else None,
        "predicted_finish_s": round(prediction.finish_s, 3) if prediction else None,
    }


def substation_document(substation: Substation, now: float) -> dict[str, Any]:
    """Return the document of one substation."""
    reading, supply = substation.reading, substation.supply(now)
    finishes = substation.finishes(now)
    return {
        "name": substation.name,
        "address": substation.address,
        "health": substation.health.value,
        "reason": substation.unavailable_reason(now),
        "drained": substation.drained,
        "warning": substation.unusable_reason or substation.warning,
        "gauge": reading.load if reading else None,
        "gauge_age_s": round(substation.gauge_age_s(now), 3) if reading else None,
        "own_load": substation.own,
        "foreign_load": substation.foreign,
        "load": substation.load,
        "capacity": reading.capacity if reading else None,
        "power_kw": reading.power_kw if reading else None,
        "power_limit_kw": reading.power_limit_kw if reading else None,
        "point_power_kw": reading.point_power_kw if reading else None,
        "committed_power_kw": round(supply.committed_kw, 3) if supply else None,
        "remaining_energy_kwh": round(supply.remaining_kwh, 3) if supply else None,
        "next_finish_s": round(finishes.next_s, 3) if finishes else None,
        "last_finish_s": round(finishes.last_s, 3) if finishes else None,
    }


def targets(pool: Pool, profiles: Mapping[str, SubstationProfile]) -> list[dict[str, Any]]:
    """Return the response of `GET /targets`: the scrape targets of Prometheus."""
    return [
        _target(substation, profiles[substation.address])
        for substation in pool.substations.values()
        # otherwise it is another name of a known one, which would count twice
        if substation.address.startswith("http://")
    ]


def _target(substation: Substation, profile: SubstationProfile) -> dict[str, Any]:
    path, _, query = profile.metrics_path.partition("?")
    # Prometheus takes parameters one by one, and the first of each name.
    parts = {f"__param_{name}": value for name, value in reversed(parse_qsl(query))}
    return {
        "targets": [_page_netloc(substation.address, profile.metrics_port)],
        "labels": {"substation": substation.name, "__metrics_path__": path, **parts},
    }


def page_url(address: str, metrics_port: int | None) -> str:
    """Return the URL of a substation's metrics page, without the path."""
    return f"http://{_page_netloc(address, metrics_port)}"


def _page_netloc(address: str, metrics_port: int | None) -> str:
    netloc = urlsplit(address).netloc
    return f"{netloc.rpartition(':')[0]}:{metrics_port}" if metrics_port else netloc
