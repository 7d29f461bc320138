"""Sessions as JSON documents, CSV and charge detail records. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from charge_request_service.sessions.record import FINAL, End, Record, State

# What the balancer knows better while the session has not ended.
_LIVE = ("state", "substation", "energy_kwh", "power_kw", "predicted_end_s", "attempts", "legs")
CSV_COLUMNS = (
    *("session_id", "vehicle_id", "state", "began", "ended", "kwh", "energy_kwh", "substation"),
    *("attempts", "waited_s", "charging_s", "mean_power_kw", "peak_power_kw", "legs"),
    *("owner", "idempotency_key", "reason"),
)
# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SECONDS_PER_HOUR = 3600


def session_document(record: Record, live: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the response of `GET /sessions/ID`.

    `live` is the session at the balancer, if it has not ended.
    """
    begin, end = record
    document = {
        "session_id": begin.session_id,
        "state": end.state,
        "vehicle_id": begin.vehicle,
        "kwh": begin.kwh,
        "kind": begin.kind,
        "began": iso(begin.began_us),
        "ended": None if end.ended_us is None else iso(end.ended_us),
        "energy_kwh": end.energy_kwh,
        "substation": end.substation,
        "power_kw": None,
        "predicted_end_s": None,
        "attempts": end.attempts,
        "waited_s": end.waited_s,
        "charging_s": end.charging_s,
        "mean_power_kw": end.mean_power_kw,
        "peak_power_kw": end.peak_power_kw,
        "legs": legs_of(end),
        "reason": end.reason,
    }
    if live is not None and not record.ended:
        document.update({name: live[name] for name in _LIVE if name in live})
        if document["state"] in FINAL:  # not yet: its end is not in the ledger
            document["state"] = State.CHARGING
    return document


def legs_of(end: End) -> list[dict[str, Any]]:
    """Return the legs of a session, or what is known of the only one."""
    if end.legs:
        legs: list[dict[str, Any]] = orjson.loads(end.legs)
        return legs
    if end.substation is None:
        return []
    return [
        {
            "substation": end.substation,
            "energy_kwh": end.energy_kwh,
            "charging_s": end.charging_s,
        }
    ]


def csv_of(records: Iterable[Record], *, header: bool = True) -> str:
    """Format charge detail records as CSV (RFC 4180), one row for each session."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, extrasaction="ignore")
    if header:
        writer.writeheader()
    for record in records:
        document = session_document(record)
        energies = ((leg["substation"], leg["energy_kwh"]) for leg in document["legs"])
        legs = (f"{name}={'' if kwh is None else kwh}" for name, kwh in energies)
        writer.writerow(
            document
            | {
                "legs": " ".join(legs),
                "owner": _cell(record.begin.owner),
                "idempotency_key": _cell(record.begin.key),
                "reason": _cell(record.end.reason),
            }
        )
    return text.getvalue()


def cdr_of(record: Record) -> dict[str, Any]:
    """Return a charge detail record with the fields of OCPI 2.2.1 that the grid knows."""
    begin, end = record
    ended_us = end.ended_us or begin.began_us
    legs = legs_of(end)
    hours = (ended_us - begin.began_us) / 1e6 / _SECONDS_PER_HOUR
    charging_hours = (end.charging_s or 0.0) / _SECONDS_PER_HOUR
    return {
        "id": begin.session_id,
        "start_date_time": iso(begin.began_us),
        "end_date_time": iso(ended_us),
        "session_id": begin.session_id,
        "cdr_token": {
            "uid": begin.vehicle,
            "type": "OTHER",
            "contract_id": begin.owner or begin.vehicle,
        },
        "auth_method": "AUTH_REQUEST",
        "cdr_location": {"id": end.substation or ""},
        "charging_periods": [
            {
                "start_date_time": iso(begin.began_us),
                "dimensions": [
                    {"type": "ENERGY", "volume": leg.get("energy_kwh") or 0.0},
                    {
                        "type": "TIME",
                        "volume": (leg.get("charging_s") or 0.0) / _SECONDS_PER_HOUR,
                    },
                ],
                "location_id": leg["substation"],
            }
            for leg in legs
        ],
        "total_energy": end.energy_kwh or 0.0,
        "total_time": hours,
        "total_parking_time": max(0.0, hours - charging_hours),
        "last_updated": iso(ended_us),
    }


def iso(time_us: int) -> str:
    """Format a time, microseconds since 1970, as in RFC 3339."""
    at = datetime.fromtimestamp(time_us / 1e6, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _cell(text: str | None) -> str | None:
    """Quote untrusted text that a spreadsheet would take for a formula."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text
