"""The policy `earliest-finish`: each vehicle goes where it will be charged first. Pure.

Points differ and share the power of their substation, so the emptiest substation may not be the
fastest. Finishes are predicted from gauges alone. A vehicle may be deferred: it leaves a free point
for a better one that frees soon. Where all substations are alike and none is held back by its
limit, all finishes are equal and each choice is the least-loaded one.
"""

from collections.abc import Sequence
from math import inf
from random import Random
from typing import NamedTuple

from load_balancer.routing.demand import ChargingStage, Demand
from load_balancer.routing.policy import Choice, Option, Policy, Request, least, least_loaded
from load_balancer.routing.prediction import Prediction, Supply, alone_s, predict

# A vehicle that cannot use all of a point's power should not take it from one that can. The penalty
# is extra time, in proportion to the unused share of the point. It grows with the load of the
# substation and with the number of waiting vehicles, up to a maximum.
_PENALTY = 0.7
_PENALTY_PER_WAITING = 0.3
_MAX_WAITING = 10
# Finishes that differ by a smaller ratio are equal.
ROUNDING = 1e-9
# A vehicle is deferred only for a point that is predicted to free within this share of its
# remaining wait. If that takes longer, there is time to take another point.
_MAX_SHARE_OF_WAIT = 0.5


_EARLIEST = "earliest predicted finish"
_EQUAL = "equal predicted finish"


class _Rated(NamedTuple):
    """An option and its cost: the vehicle's own time, and the time that others lose, seconds."""

    cost_s: float
    option: Option
    prediction: Prediction


class EarliestFinish(Policy):
    """Takes the earliest predicted finish; equal ones go to the least `(load + 1) / capacity`."""

    predicts = True

    def __init__(self) -> None:
        super().__init__("earliest-finish", "least (load + 1) / capacity", least_loaded)

    def choose(self, options: Sequence[Option], request: Request, random: Random) -> Choice:
        """Choose an option for a vehicle; at least one has a free point.

        A substation that does not publish its power is chosen if it is the least loaded.
        """
        predictable = [one for one in options if one.supply is not None]
        if len(predictable) < len(options):
            choice = super().choose(options, request, random)
            if not any(one.candidate is choice.candidate for one in predictable):
                return choice
            options = predictable
        rated = _rate(options, request)
        earliest_s = min([one.cost_s for one in rated])
        equal_s = earliest_s + ROUNDING * earliest_s
        equals = [one for one in rated if one.cost_s <= equal_s]
        best = min(equals, key=_rank)
        others = [one for one in rated if one is not best]
        second = min(others, key=_cost_and_rank) if others else None
        return Choice(
            best.option.candidate,
            _EARLIEST if len(equals) == 1 else f"{_EQUAL}, {self.reason}",
            best.option.free < 1,
            best.prediction,
            second and (second.option.candidate.name, second.prediction),
        )


def penalty_of(request: Request) -> float:
    """Return the penalty for an unused point at a full substation, as a multiple of its time."""
    return _PENALTY + _PENALTY_PER_WAITING * min(request.waiting, _MAX_WAITING)


def latest_start_s_of(request: Request) -> float:
    """Return the time within which a point has to become free to be waited for, seconds."""
    return _MAX_SHARE_OF_WAIT * request.max_deferral_s


def draw(demand: Demand, point_power_kw: float) -> tuple[tuple[ChargingStage, ...], float]:
    """Return the stages of a vehicle's session at a point, and the share of its power not used."""
    return demand.stages(point_power_kw), 1 - demand.cap_kw(point_power_kw) / point_power_kw


def _rate(options: Sequence[Option], request: Request) -> list[_Rated]:
    """Return the costs of the options that may be among the best two."""
    demand = request.demand
    penalty, latest_start_s = penalty_of(request), latest_start_s_of(request)
    supplies = [(one.supply, one) for one in options if one.supply is not None]
    supplies.sort(key=_point_power_kw, reverse=True)
    # The stages, and the share of the power not used, by the power of the point.
    drawn: dict[float, tuple[tuple[ChargingStage, ...], float]] = {}
    rated: list[_Rated] = []
    best_s = second_s = inf
    for supply, option in supplies:
        if option.free < 1 and not latest_start_s:
            continue
        power_kw = supply.point_power_kw
        if power_kw not in drawn:
            drawn[power_kw] = draw(demand, power_kw)
        stages, unused = drawn[power_kw]
        factor = 1 + penalty * min(1.0, option.candidate.score) * unused if unused else 1.0
        # Fast points come first: soon no slower one is better, even with nobody else there.
        if second_s < inf and alone_s(supply, stages) * factor > second_s:
            continue
        prediction = predict(supply, stages, after_ends=max(0, 1 - option.free))
        if option.free < 1 and prediction.start_s > latest_start_s:
            continue
        cost_s = prediction.start_s + prediction.charging_s * factor + prediction.slows_s
        rated.append(_Rated(cost_s, option, prediction))
        if cost_s < best_s:
            best_s, second_s = cost_s, best_s
        elif cost_s < second_s:
            second_s = cost_s
    return rated


def _point_power_kw(supply: tuple[Supply, Option]) -> float:
    return supply[0].point_power_kw


def _cost_and_rank(rated: _Rated) -> tuple[float, tuple[bool, tuple[float, int]]]:
    return rated.cost_s, _rank(rated)


def _rank(rated: _Rated) -> tuple[bool, tuple[float, int]]:
    """Rank equal costs: free points first, then the least loaded substation."""
    return rated.option.free < 1, least(rated.option.candidate)
