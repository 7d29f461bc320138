"""How fast a measurement grows."""

import random

import pytest

from benchmarks.soak.slope import binned, theil_sen


def test_a_straight_line_has_its_slope() -> None:
    found = theil_sen([(x, 3 * x + 7) for x in range(20)])
    assert (found.estimate, found.low, found.high) == (3, 3, 3)


def test_outliers_do_not_move_the_slope() -> None:
    points = [(float(x), 2.0 * x) for x in range(60)]
    points[10:14] = [(x, 1e6) for x, _ in points[10:14]]
    assert theil_sen(points).estimate == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_noise_widens_the_interval_which_holds_the_slope_19_times_in_20(slope: float) -> None:
    rng = random.Random(1)
    held = 0
    for _ in range(200):
        found = theil_sen([(float(x), slope * x + rng.gauss(0, 5)) for x in range(40)])
        assert found.low < found.estimate < found.high
        held += found.low <= slope <= found.high
    assert 180 <= held <= 199


def test_two_points_have_no_interval() -> None:
    with pytest.raises(ValueError, match="three points"):
        theil_sen([(0, 0), (1, 1)])


def test_a_bin_is_its_median_at_its_middle() -> None:
    assert binned([(0, 1), (4, 5), (9, 100), (12, 7)], 10) == [(5, 5), (15, 7)]
