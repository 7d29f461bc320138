"""Sessions as JSON documents, CSV and charge detail records. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from charge_request_service.sessions.record import FINAL, Record, State

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
    document = {
        "session_id": record.session_id,
        "state": record.state,
        "vehicle_id": record.vehicle,
        "kwh": record.kwh,
        "kind": record.kind,
        "began": iso(record.began_us),
        "ended": None if record.ended_us is None else iso(record.ended_us),
        "energy_kwh": record.energy_kwh,
        "substation": record.substation,
        "power_kw": None,
        "predicted_end_s": None,
        "attempts": record.attempts,
        "waited_s": record.waited_s,
        "charging_s": record.charging_s,
        "mean_power_kw": record.mean_power_kw,
        "peak_power_kw": record.peak_power_kw,
        "legs": legs_of(record),
        "reason": record.reason,
    }
    if live is not None and not record.ended:
        document.update({name: live[name] for name in _LIVE if name in live})
        if document["state"] in FINAL:  # not yet: its end is not in the ledger
            document["state"] = State.CHARGING
    return document


def legs_of(record: Record) -> list[dict[str, Any]]:
    """Return the legs of a session."""
    if record.legs or record.substation is None:
        return record.legs_list()
    return [
        {
            "substation": record.substation,
            "energy_kwh": record.energy_kwh,
            "charging_s": record.charging_s,
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
                "owner": _cell(record.owner),
                "idempotency_key": _cell(record.key),
                "reason": _cell(record.reason),
            }
        )
    return text.getvalue()


def cdr_of(record: Record) -> dict[str, Any]:
    """Return a charge detail record with the fields of OCPI 2.2.1 that the grid knows."""
    ended_us = record.ended_us or record.began_us
    legs = legs_of(record)
    hours = (ended_us - record.began_us) / 1e6 / _SECONDS_PER_HOUR
    charging_hours = (record.charging_s or 0.0) / _SECONDS_PER_HOUR
    return {
        "id": record.session_id,
        "start_date_time": iso(record.began_us),
        "end_date_time": iso(ended_us),
        "session_id": record.session_id,
        "cdr_token": {
            "uid": record.vehicle,
            "type": "OTHER",
            "contract_id": record.owner or record.vehicle,
        },
        "auth_method": "AUTH_REQUEST",
        "cdr_location": {"id": record.substation or ""},
        "charging_periods": [
            {
                "start_date_time": iso(record.began_us),
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
        "total_energy": record.energy_kwh or 0.0,
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
