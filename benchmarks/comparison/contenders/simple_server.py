"""The simplest possible balancer: fetch every gauge, choose the lowest, forward. Nothing else.

It is written as one would write it in an afternoon: synchronous, with requests and a timeout for
each fetch; a substation whose gauge cannot be fetched is skipped. It counts nothing, has no queue,
and does not retry.
"""

import os
import re

import requests
from flask import Flask, Response, request

_GAUGE = re.compile(r"^substation_current_load (\S+)", re.MULTILINE)
_GAUGE_TIMEOUT_S = 1
_CHARGE_TIMEOUT_S = 60


def create_app() -> Flask:
    """Create the app for the substations in SUBSTATIONS."""
    app = Flask(__name__)
    substations = os.environ["SUBSTATIONS"].split(",")

    @app.get("/readyz")
    def readyz() -> str:
        return "ready\n"

    @app.post("/charge")
    def charge() -> Response:
        loads = {
            substation: load
            for substation in substations
            if (load := _gauge(substation)) is not None
        }
        if not loads:
            return Response("no substation answers\n", status=503)
        least = min(loads, key=lambda substation: loads[substation])
        try:
            answer = requests.post(
                f"{least}/charge",
                data=request.get_data(),
                headers={"Content-Type": "application/json"},
                timeout=_CHARGE_TIMEOUT_S,
            )
        except requests.RequestException as error:
            return Response(f"{error}\n", status=502)
        return Response(
            answer.content, status=answer.status_code, content_type=answer.headers["Content-Type"]
        )

    return app


def _gauge(substation: str) -> float | None:
    try:
        page = requests.get(f"{substation}/metrics", timeout=_GAUGE_TIMEOUT_S).text
    except requests.RequestException:
        return None
    found = _GAUGE.search(page)
    return float(found[1]) if found else None
