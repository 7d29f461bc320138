"""The balancer's OpenAPI description."""

from typing import Any

from grid_common.api.openapi import (
    COUNT,
    NULLABLE_TEXT,
    NUMBER,
    TEXT,
    an_object,
    content,
    inner_description,
)
from load_balancer import drain_routes, session_routes

_HEADERS = [
    {
        "name": "Session-Grace",
        "in": "header",
        "description": "Seconds that the session continues once nobody waits for it: it is "
        "durable, and the same `session_id` attaches to it. If omitted, a disconnect stops it.",
        "schema": {"type": "string", "pattern": r"^[0-9]{1,4}$"},
        "example": "300",
    },
    {
        "name": "Session-Resumed",
        "in": "header",
        "description": "`?1`: this ID was sent before, so the substations are searched for it.",
        "schema": {"enum": ["?1"]},
    },
    {
        "name": "Session-Owner",
        "in": "header",
        "description": "Name of the calling gateway, if it has other balancers, too. Requests with "
        "this name, here and to `GET /healthz`, are its heartbeats.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
    },
    {
        "name": "Session-Lease",
        "in": "header",
        "description": "Seconds without a heartbeat from that gateway after which the session "
        "is not dispatched any more: another balancer may lead it. At least 0.1.",
        "schema": {"type": "string", "pattern": r"^[0-9]{1,4}(\.[0-9]{1,9})?$"},
        "example": "3",
    },
    {
        "name": "Session-Sent",
        "in": "header",
        "description": "When that gateway sent this, by its own monotonic clock, seconds: the sign "
        "of life counts from then, however late it arrives.",
        "schema": {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,9})?$"},
        "example": "12.345",
    },
]


_HOLDS = {
    "/holds": {
        "get": {
            "summary": "The vehicles of this balancer, for those that share its substations",
            "parameters": [
                {
                    "name": "since",
                    "in": "query",
                    "description": "`version` of the previous response: answered once it has "
                    "changed, or after a second",
                    "schema": {"type": "integer", "minimum": 0},
                }
            ],
            "responses": {
                "200": content(
                    "Vehicles and names, by the substations' addresses",
                    an_object(
                        {
                            "balancer": TEXT,
                            "began": NUMBER,
                            "version": COUNT,
                            "pause_s": NUMBER,
                            "holds": {"type": "object", "additionalProperties": COUNT},
                            "names": {"type": "object", "additionalProperties": TEXT},
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
    document["paths"] |= session_routes.paths() | drain_routes.paths()
    document["paths"] |= _HOLDS
    document["paths"]["/charge"]["post"]["parameters"] += _HEADERS
    schemas = document["components"]["schemas"]
    schemas |= session_routes.schemas()
    charged = schemas["Charged"]["properties"]
    charged["status"] = {"enum": ["charged", "charging", "stopped"]}
    charged["substation"] = NULLABLE_TEXT
    charged["attempts"] = COUNT
    charged["legs"] = schemas["Session"]["properties"]["legs"]
    charged["reason"] = TEXT
    return document
