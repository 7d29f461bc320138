import random
from pathlib import Path
from statistics import fmean, quantiles

import pytest

from docs.fit_demand import fit_mix, main, rank_correlation, read_batteries
from load_tester.mix import FAST_MIX, DrawnVehicle

SESSIONS = Path(__file__).parents[4] / "shared" / "data" / "epfl_desl_sessions.csv"
needs_sessions = pytest.mark.skipif(
    not SESSIONS.exists(), reason=f"{SESSIONS.name} is not beside the project"
)


def drawn(count: int = 20_000) -> list[DrawnVehicle]:
    rng = random.Random(1)
    return [FAST_MIX.draw(rng) for _ in range(count)]


def test_what_is_drawn_fits_into_the_battery() -> None:
    for one in drawn():
        assert 0 < one.kwh <= (1 - one.soc) * one.battery_kwh * (1 + 1e-12)
        assert 16 < one.battery_kwh < 140
        assert 0 <= one.soc < 1


def test_the_most_powers_have_their_weights() -> None:
    vehicles = drawn()
    for power_kw, weight in FAST_MIX.max_power_kw:
        share = sum(one.max_power_kw == power_kw for one in vehicles) / len(vehicles)
        assert share == pytest.approx(weight, abs=0.01)


@needs_sessions
def test_the_numbers_are_those_of_the_sessions() -> None:
    found = fit_mix(read_batteries(SESSIONS))
    assert found == tuple(getattr(FAST_MIX, name) for name in found._fields)


@needs_sessions
def test_energies_are_as_in_the_sessions_though_only_their_parts_were_fitted() -> None:
    real = [one.taken * (1 - one.soc) * one.battery_kwh for one in read_batteries(SESSIONS)]
    ours = [one.kwh for one in drawn()]
    assert fmean(ours) == pytest.approx(fmean(real), rel=0.02)
    for mine, theirs in zip(quantiles(ours, n=10), quantiles(real, n=10), strict=True):
        assert mine == pytest.approx(theirs, abs=2)


@needs_sessions
def test_energy_depends_on_battery_and_state_of_charge_as_in_the_sessions() -> None:
    real = read_batteries(SESSIONS)
    energies = [one.taken * (1 - one.soc) * one.battery_kwh for one in real]
    vehicles = drawn()
    ours = [one.kwh for one in vehicles]
    for name in ("battery_kwh", "soc"):
        theirs = rank_correlation(energies, [getattr(one, name) for one in real])
        mine = rank_correlation(ours, [getattr(one, name) for one in vehicles])
        assert mine == pytest.approx(theirs, abs=0.06)


def test_ranks_of_equal_values_are_shared() -> None:
    assert rank_correlation([5.0, 1.0, 5.0, 7.0], [1.5, 0.0, 1.5, 3.0]) == 1.0


def test_the_command_prints_a_fit_and_says_what_is_wrong_with_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sessions.csv"
    rows = ["20000,30,60", "10000,50,70", "garbage,1,2", "500000,10,90", "9000,80,80"]
    file.write_text("\n".join(["energy_wh,soc_arrival,soc_departure", *rows]))
    assert main(["mix", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "sessions=2," in printed
    assert "battery_kwh=(50.0, " in printed
    file.write_text("energy_wh,soc_arrival\n")
    with pytest.raises(SystemExit) as left:
        main(["mix", str(file)])
    assert left.value.code == 2
    assert "has no column soc_departure" in capsys.readouterr().err
