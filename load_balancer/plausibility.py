"""Tells a substation that says `charged` before the energy can have flowed. Pure."""

from load_balancer.profile import SubstationProfile
from load_balancer.routing.substation import Reading

# Of the shortest time in which the energy can flow: room for clocks, and for vehicles that wanted a
# little less than they asked for.
_SHARE = 0.5


def too_fast(
    kwh: float, took_s: float, reading: Reading | None, profile: SubstationProfile
) -> str | None:
    """Say what looks wrong about a charge, None where nothing does.

    Args:
        kwh: the energy that was asked for, kWh.
        took_s: time from the dispatch to the answer, seconds.
        reading: what the substation's page says of the power of a point, and of its time.
        profile: what is set where the page says nothing.
    """
    point_power_kw = (reading and reading.point_power_kw) or profile.max_point_power_kw
    time_scale = max(profile.time_scale, reading.time_scale if reading else 0.0)
    least_s = kwh / point_power_kw * 3600 / time_scale
    if took_s >= _SHARE * least_s:
        return None
    return (
        f"answered that {kwh:g} kWh were charged after {took_s:.3g} s, for which "
        f"{point_power_kw:g} kW need {least_s:.3g} s: if it answers when charging begins, set "
        'answer = "accepted" for it in SUBSTATIONS_FILE; if its points are stronger, or its time '
        "is simulated, set max_point_power_kw or time_scale"
    )
