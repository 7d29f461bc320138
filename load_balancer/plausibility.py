"""Detects substations that report `charged` before the energy can have flowed. Pure."""

from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading

# Share of the shortest time in which the energy can flow: allows for clocks, and for vehicles that
# took slightly less than they asked for.
_SHARE = 0.5


def too_fast(
    kwh: float, took_s: float, reading: Reading | None, profile: SubstationProfile
) -> str | None:
    """Return what is implausible about a charge, or None.

    Args:
        kwh: requested energy, kWh.
        took_s: time from the dispatch to the response, seconds.
        reading: power of a point and time scale, from the substation's page.
        profile: the configured values, for those that the page does not contain.
    """
    point_power_kw = (reading and reading.point_power_kw) or profile.max_point_power_kw
    time_scale = max(profile.time_scale, reading.time_scale if reading else 0.0)
    least_s = kwh / point_power_kw * 3600 / time_scale
    if took_s >= _SHARE * least_s:
        return None
    return (
        f"reported {kwh:g} kWh as charged after {took_s:.3g} s, for which "
        f"{point_power_kw:g} kW need {least_s:.3g} s: if it responds when charging begins, set "
        'answer = "accepted" for it in SUBSTATIONS_FILE; if its points have more power, or its '
        "time is simulated, set max_point_power_kw or time_scale"
    )
