"""The balancer's OpenAPI description."""

from typing import Any

from grid_common.api.openapi import (
    IDENTIFIER,
    a_map,
    an_object,
    content,
    drain_paths,
    inner_description,
    parameter,
    schema_of,
    text_like,
)
from load_balancer import session_routes

_SECONDS = r"^[0-9]{1,4}"
_HEADERS = [
    parameter(
        "header",
        "Session-Grace",
        text_like(f"{_SECONDS}$"),
        "Seconds that the session continues once nobody waits for it: it is durable, and the same "
        "`session_id` attaches to it. If omitted, a disconnect stops it.",
        example="300",
    ),
    parameter(
        "header",
        "Session-Resumed",
        {"enum": ["?1"]},
        "`?1`: this ID was sent before, so the substations are searched for it.",
    ),
    parameter(
        "header",
        "Session-Owner",
        IDENTIFIER,
        "Name of the calling gateway, if it has other balancers, too. Requests with this name, "
        "here and to `GET /healthz`, are its heartbeats.",
    ),
    parameter(
        "header",
        "Session-Lease",
        text_like(rf"{_SECONDS}(\.[0-9]{{1,9}})?$"),
        "Seconds without a heartbeat from that gateway after which the session is not "
        "dispatched any more: another balancer may lead it. At least 0.1.",
        example="3",
    ),
    parameter(
        "header",
        "Session-Sent",
        text_like(r"^[0-9]{1,12}(\.[0-9]{1,9})?$"),
        "When that gateway sent this, by its own monotonic clock, seconds: the heartbeat counts "
        "from then, however late it arrives.",
        example="12.345",
    ),
]


_HOLDS = {
    "/holds": {
        "get": {
            "summary": "The vehicles of this balancer, for those that share its substations",
            "parameters": [
                parameter(
                    "query",
                    "since",
                    int,
                    "`version` of the previous response: answered once it has changed, or after a "
                    "second",
                )
            ],
            "responses": {
                "200": content(
                    "Vehicles and names, by the substations' addresses",
                    an_object(
                        {
                            "balancer": str,
                            "began": float,
                            "version": int,
                            "pause_s": float,
                            "holds": a_map(int),
                            "names": a_map(str),
                        }
                    ),
                )
            },
        }
    }
}


def description(max_kwh: float) -> dict[str, Any]:
    """Return the balancer's description."""
    document = inner_description("Balancer", max_kwh, waits=True)
    document["paths"] |= session_routes.paths() | _HOLDS
    document["paths"] |= drain_paths({"type": "object"})
    document["paths"]["/charge"]["post"]["parameters"] += _HEADERS
    schemas = document["components"]["schemas"]
    schemas |= session_routes.schemas()
    charged = schemas["Charged"]["properties"]
    charged["status"] = {"enum": ["charged", "charging", "stopped"]}
    charged["substation"] = schema_of(str | None)
    charged["attempts"] = schema_of(int)
    charged["legs"] = schemas["Session"]["properties"]["legs"]
    charged["reason"] = schema_of(str)
    return document
