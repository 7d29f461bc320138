"""Who says `charged` before the energy can have flowed."""

from typing import Any

import pytest

from load_balancer.plausibility import too_fast
from load_balancer.profile import SubstationProfile
from load_balancer.routing.health import Reading


def reading(point_power_kw: float | None = None, time_scale: float = 1.0) -> Reading:
    return Reading(0, 4, point_power_kw=point_power_kw, time_scale=time_scale)


@pytest.mark.parametrize(
    ("kwh", "took_s", "page", "fields"),
    [
        (40, 0.01, reading(), {}),  # 144 s at 1000 kW
        (40, 71, reading(), {}),
        (40, 0.01, None, {}),
        (40, 5, reading(50), {}),  # its own points need 2,880 s
        (40, 1400, reading(50), {}),
        (40, 3.9, reading(50, 360), {}),  # 8 s in its time
        (40, 1, reading(), {"time_scale": 60}),
        (40, 100, None, {"time_scale": 0.5}),
        (40, 400, reading(), {"max_point_power_kw": 150}),
    ],
)
def test_an_answer_before_the_energy_can_have_flowed_is_reported_with_the_remedy(
    kwh: float, took_s: float, page: Reading | None, fields: dict[str, Any]
) -> None:
    warning = too_fast(kwh, took_s, page, SubstationProfile(**fields))
    assert warning is not None
    assert 'answer = "accepted"' in warning
    assert "time_scale" in warning


@pytest.mark.parametrize(
    ("kwh", "took_s", "page", "fields"),
    [
        (40, 144, reading(), {}),
        (40, 72, reading(), {}),  # a vehicle that was full after half of it
        (6, 1.2, reading(50, 360), {}),  # the grid itself
        (1000, 72_000 / 1e9, reading(50, 1e9), {}),
        (1e-9, 1e-5, reading(), {}),
        (40, 2.4, reading(), {"time_scale": 60}),
        (40, 15, reading(), {"max_point_power_kw": 10_000}),
        (6, 1.2, reading(50, 360), {"time_scale": 1}),  # what it says of itself is believed
    ],
)
def test_an_answer_in_the_time_that_the_energy_takes_is_believed(
    kwh: float, took_s: float, page: Reading | None, fields: dict[str, Any]
) -> None:
    assert too_fast(kwh, took_s, page, SubstationProfile(**fields)) is None


def test_a_warning_names_the_figures_and_what_to_set() -> None:
    assert too_fast(40, 0.0123, reading(50), SubstationProfile()) == (
        "reported 40 kWh as charged after 0.0123 s, for which 50 kW need 2.88e+03 s: if it "
        'responds when charging begins, set answer = "accepted" for it in SUBSTATIONS_FILE; if its '
        "points have more power, or its time is simulated, set max_point_power_kw or time_scale"
    )
    assert "for which 1000 kW need 144 s" in str(too_fast(40, 1, None, SubstationProfile()))
