"""Sessions as the ledger keeps them, to write."""

from itertools import count
from typing import Any

from charge_request_service.sessions.ledger import now_us
from charge_request_service.sessions.record import Begin, End, Kind, State, new_session_id

_numbers = count()


def a_begin(ledger: Any = None, **reported: Any) -> Begin:
    """Return a session that begins; each later than those before."""
    began_us = reported.pop("began_us", now_us() + 1000 * next(_numbers))
    return Begin(
        **{
            "session_id": new_session_id(began_us // 1000),
            "vehicle_id": "EV-1",
            "kwh": 6.0,
            "max_power_kw": None,
            "battery_kwh": None,
            "soc": None,
            "kind": Kind.KEYED if reported.get("key") else Kind.PLAIN,
            "owner": "",
            "key": None,
            "digest": None,
            "wait_s": 60.0,
            "began_us": began_us,
            "gateway": ledger.gateway if ledger else "gateway",
            **reported,
        }
    )


def an_end(begin: Begin, state: State = State.CHARGED, **reported: Any) -> End:
    """Return how it ended."""
    return End(
        **{
            "session_id": begin.session_id,
            "state": state,
            "ended_us": begin.began_us + 1_204_000,
            "substation": "substation1",
            "attempts": 1,
            "waited_s": 0.0,
            "charging_s": 1.204,
            "energy_kwh": 6.0,
            "mean_power_kw": 50.0,
            "peak_power_kw": 50.0,
            "status": 200,
            **reported,
        }
    )
