"""The fits behind the drawn energies, repeated on the real sessions if they are available."""

import math
import random
from pathlib import Path

import pytest

from docs.fit_demand import fit_all, main, mean_within
from load_tester.demand import FAST_CHARGING, WORKPLACE, GammaDemand
from load_tester.trace import read_trace

DATA = Path(__file__).parents[4] / "shared" / "data"
FILES = {
    FAST_CHARGING.name: (FAST_CHARGING, DATA / "epfl_desl_sessions.csv"),
    WORKPLACE.name: (WORKPLACE, DATA / "caltech_2019-03_sessions.csv"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_fit_in_the_code_is_the_best_fit_of_the_real_sessions(name: str) -> None:
    demand, file = FILES[name]
    if not file.exists():
        pytest.skip(f"the real sessions are not here: {file.name}")
    energies = [session.kwh for session in read_trace(file).sessions]
    best = fit_all(energies)[0]
    assert best.family == "gamma"
    assert best.parameters["shape"] == pytest.approx(demand.shape, abs=1e-4)
    assert best.parameters["scale"] == pytest.approx(demand.scale, abs=1e-3)
    assert len(energies) == demand.sessions
    assert (min(energies), max(energies)) == pytest.approx((demand.least, demand.most))
    assert best.distance < 0.045
    mean = mean_within(demand.shape, demand.scale, demand.least, demand.most)
    assert mean == pytest.approx(demand.mean, abs=0.005)


def draw(family: str, rng: random.Random) -> float:
    match family:
        case "gamma":
            return rng.gammavariate(2.5, 12.0)
        case "lognormal":
            return rng.lognormvariate(3.0, 0.8)
        case _:
            return rng.weibullvariate(30.0, 3.5)


TRUTH = {
    "gamma": {"shape": 2.5, "scale": 12.0},
    "lognormal": {"mu": 3.0, "sigma": 0.8},
    "weibull": {"shape": 3.5, "scale": 30.0},
}


@pytest.mark.parametrize("family", TRUTH)
def test_a_fit_finds_the_family_and_the_parameters_that_made_the_values(family: str) -> None:
    rng = random.Random(11)
    best = fit_all([draw(family, rng) for _ in range(8000)])[0]
    assert best.family == family
    assert best.parameters == pytest.approx(TRUTH[family], rel=0.05)
    assert best.distance < 0.02


def test_a_fit_needs_different_positive_energies() -> None:
    with pytest.raises(ValueError, match="two different"):
        fit_all([3.0, 3.0])
    with pytest.raises(ValueError, match="over 0"):
        fit_all([3.0, 0.0])


def test_the_fit_command_prints_the_families_best_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(5)
    file = tmp_path / "sessions.csv"
    rows = [f"{index},{rng.gammavariate(2, 9):.3f}" for index in range(2000)]
    file.write_text("\n".join(["arrival,energy_kwh", *rows]))
    assert main(["energy", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "2,000 sessions, column energy_kwh" in printed
    assert printed.index("gamma") < printed.index("lognormal")


def test_the_fit_command_says_what_is_wrong_with_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["energy", str(tmp_path / "none.csv")])
    assert left.value.code == 2
    assert "none.csv: no such file" in capsys.readouterr().err


def test_the_mean_within_a_range_is_that_of_what_is_drawn_there() -> None:
    assert mean_within(1.0, 1.0, 0.0, math.inf) == pytest.approx(1.0)
    # An exponential distribution cut off at 1: 1 - 1 / (e - 1).
    assert mean_within(1.0, 1.0, 0.0, 1.0) == pytest.approx(1 - 1 / (math.e - 1))


@pytest.mark.parametrize("demand", [FAST_CHARGING, WORKPLACE])
def test_a_demand_names_itself_with_the_mean_of_what_it_draws(demand: GammaDemand) -> None:
    rng = random.Random(1)
    drawn = [demand.draw(rng).kwh for _ in range(100_000)]
    assert demand.mean == pytest.approx(sum(drawn) / len(drawn), rel=0.01)
    assert f"mean {demand.mean:.1f} kWh" in str(demand)


def test_a_column_with_brackets_is_shown_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "[b]sessions.csv"
    file.write_text("arrival,[/] kwh\n0,5\n1,7\n2,[n/a]\n3,9\n")
    assert main(["energy", str(file), "--energy-column", "[/] kwh"]) == 0
    printed = capsys.readouterr().out
    assert "[b]sessions.csv: 3 sessions, column [/] kwh" in printed
    assert "energy '[n/a]' is not a number" in printed
