"""The report: differences of the model's times and energies from records and from acnportal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean, quantiles

from benchmarks.field.replay import charge_all, energies, two_plugs
from benchmarks.field.sessions import RecordedSession
from benchmarks.harness.tables import table
from substation_service.substation import Demand, Sharing, Substation

_PERCENTILES = (5, 10, 25, 50, 75, 90, 95)
# Caltech's stations: 32 A at 208 V.
_STATION_KW = 6.656
_STATIONS = 47


def epfl(sessions: Sequence[RecordedSession]) -> Iterator[str]:
    """Compare charging times with the stays at EPFL's fast charger."""
    reported: Mapping[str, Callable[[RecordedSession], Demand]] = {
        "greatest power, battery and state of charge": lambda one: one.demand,
        "greatest power": lambda one: one.demand._replace(battery_kwh=None, soc=None),
        "nothing but the energy": lambda one: Demand(one.demand.kwh),
    }
    replayed = {
        name: charge_all(two_plugs(), sessions, demand) for name, demand in reported.items()
    }
    full = replayed["greatest power, battery and state of charge"]
    yield from (
        "## EPFL: charging times beside recorded stays",
        "",
        f"{len(sessions):,} sessions at two plugs that share 172.5 kW equally. In the model each",
        "vehicle gets the energy that it got; the error is its charging time in the model over its "
        "recorded stay, less 1.",
        f"{sum(one.waited_s > 0 for one in full)} vehicles find both plugs taken in the model: "
        "those before them charge for longer than they stayed.",
        "",
    )
    rows = [(name, *_percentiles([one.error for one in found])) for name, found in replayed.items()]
    for controlled in (False, True):
        name = f"the first, power {'' if controlled else 'not '}lowered by experiments"
        part = [one.error for one in full if one.recorded.controlled is controlled]
        rows.append((f"{name} ({len(part):,})", *_percentiles(part)))
    headings = [f"p{percentile}" for percentile in _PERCENTILES]
    yield from table(["error, what vehicles tell", *headings, "mean of its size"], rows)
    minutes = [(one.charging_s - one.stay_s) / 60 for one in full]
    yield from table(
        ["the first, minutes", *headings],
        [("model less stay", *(f"{value:+.1f}" for value in _cuts(minutes)))],
    )


def caltech(
    sessions: Sequence[RecordedSession], theirs: Mapping[float, Mapping[str, float]]
) -> Iterator[str]:
    """Compare the energies of workplace sessions with acnportal's.

    Args:
        sessions: the recorded sessions.
        theirs: acnportal's kWh by session, by limit in kW.
    """
    yield from (
        "## Caltech: energies beside acnportal",
        "",
        f"{len(sessions)} sessions at {_STATIONS} stations that share a limit equally, in this",
        "model and in acnportal 0.3.3 (`RoundRobin`, periods of 5 minutes).",
        "Each leaves when it left, charged or not. Differences are those of a session's kWh, over "
        "acnportal's.",
        "",
    )
    rows = [_limit_row(sessions, limit_kw, found) for limit_kw, found in theirs.items()]
    yield from table(
        ["limit", "sessions cut short", "kWh, model", "kWh, acnportal", "mean", "p99", "greatest"],
        rows,
    )


def differences(
    sessions: Sequence[RecordedSession], limit_kw: float, theirs: Mapping[str, float]
) -> dict[str, float]:
    """Return the difference of each session's energy as a share of acnportal's."""
    ours = energies(_workplace(limit_kw), sessions)
    return {name: ours[name] / kwh - 1 for name, kwh in theirs.items()}


def _limit_row(
    sessions: Sequence[RecordedSession], limit_kw: float, theirs: Mapping[str, float]
) -> Sequence[str]:
    ours = energies(_workplace(limit_kw), sessions)
    sizes = sorted(abs(one) for one in differences(sessions, limit_kw, theirs).values())
    short = sum(ours[one.session_id] < one.demand.kwh * 0.999 for one in sessions)
    return (
        f"{limit_kw:g} kW",
        f"{short}",
        f"{sum(ours.values()):,.1f}",
        f"{sum(theirs.values()):,.1f}",
        f"{fmean(sizes):.2%}",
        f"{quantiles(sizes, n=100)[98]:.2%}",
        f"{sizes[-1]:.2%}",
    )


def _workplace(limit_kw: float) -> Substation:
    return Substation(_STATIONS, _STATION_KW, limit_kw, Sharing.EQUAL)


def _percentiles(errors: Sequence[float]) -> list[str]:
    return [f"{value:+.0%}" for value in _cuts(errors)] + [f"{fmean(map(abs, errors)):.0%}"]


def _cuts(values: Sequence[float]) -> list[float]:
    cuts = quantiles(values, n=100)
    return [cuts[percentile - 1] for percentile in _PERCENTILES]
