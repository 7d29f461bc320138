"""Sessions as a ledger has them, for those that fill it."""

from charge_request_service.sessions.record import Begin, End, Kind, State, new_session_id

_CHARGING_S = 1.204


def begin(began_us: int, vehicle_id: str, *, owner: str = "", gateway: str) -> Begin:
    """Return the begin of a plain session of 6 kWh."""
    return Begin(
        session_id=new_session_id(began_us // 1000),
        vehicle_id=vehicle_id,
        kwh=6.0,
        max_power_kw=None,
        battery_kwh=None,
        soc=None,
        kind=Kind.PLAIN,
        owner=owner,
        key=None,
        digest=None,
        wait_s=60.0,
        began_us=began_us,
        gateway=gateway,
    )


def end(of: Begin, state: State = State.CHARGED) -> End:
    """Return its end, a good second later."""
    charged = state is not State.REFUSED
    return End(
        of.session_id,
        state,
        of.began_us + round(_CHARGING_S * 1_000_000),
        substation="substation1" if charged else None,
        attempts=1,
        waited_s=0.0,
        charging_s=_CHARGING_S if charged else None,
        energy_kwh=6.0 if charged else None,
        mean_power_kw=50.0 if charged else None,
        peak_power_kw=50.0 if charged else None,
        status=200 if charged else 503,
    )
