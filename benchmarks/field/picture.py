"""The charts of docs/power.md, drawn from the substation's model. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from benchmarks.harness.svg import picture
from load_tester.report.svg import box, polyline, text
from substation_service.charging import Charging
from substation_service.substation import Demand, Outcome, Sharing, Substation

_LEFT, _WIDTH, _HEIGHT, _TOP, _GAP = 60, 560, 130, 72, 64
_LIMIT_KW, _CUT_KW = 100.0, 60.0
# Arrivals of vehicles, hours, and their demands.
_ARRIVALS = (
    (0.0, Demand(55)),
    (0.25, Demand(45)),
    (0.5, Demand(15, max_power_kw=11)),
    (0.75, Demand(40)),
)
_CUT_FROM_H, _CUT_TO_H, _HOURS = 1.0, 1.25, 2.0
_SHADES = ("s0", "s1", "s2", "s3")


def sharing() -> str:
    """Draw the powers of four vehicles over time under one limit, for each way of sharing."""
    parts = [
        text(8, 20, "Four vehicles at points of 50 kW share 100 kW", "bold"),
        text(
            8, 38, "each a layer; from 1 h to 1¼ h the limit is 60 kW; dashed: the limit", "small"
        ),
    ]
    for row, kind in enumerate(Sharing):
        parts += _shared(kind, _TOP + row * (_HEIGHT + _GAP))
    height = _TOP + 2 * (_HEIGHT + _GAP)
    return picture(_LEFT + _WIDTH + 30, height, "power of four vehicles over time", parts)


def taper() -> str:
    """Draw a battery's power by its state of charge: the linear taper, and the model's steps."""
    charging = Charging(Demand(60, 100, 60, 0.0), 100, 0.0, 1.0)
    steps = []
    while charging.cap_changes < float("inf"):
        soc, cap = charging.delivered_kwh(0) / 60, charging.cap_kw(charging.cap_changes - 1e-9)
        charging.advance(charging.cap_changes)
        steps.append((max(soc, 0.7), charging.delivered_kwh(0) / 60, cap))

    def x(soc: float) -> float:
        return _LEFT + _WIDTH * (soc - 0.7) / 0.3

    def y(kw: float) -> float:
        return _TOP + _HEIGHT * (1 - kw / 100)

    parts = [
        text(8, 20, "What a battery of 100 kW takes by its state of charge", "bold"),
        text(8, 38, "orange: a linear taper; blue: the steps that stand for it", "small"),
        *_axis(_TOP, 100, "kW"),
        *(
            text(x(p / 100), _TOP + _HEIGHT + 16, f"{p}%", "small middle")
            for p in range(70, 101, 5)
        ),
        polyline([(x(at), y(kw)) for at, kw in ((0.7, 100), (0.8, 100), (1, 10))], "line s1"),
        polyline([(x(at), y(kw)) for low, high, kw in steps for at in (low, high)], "line s0"),
    ]
    return picture(_LEFT + _WIDTH + 30, _TOP + _HEIGHT + 30, "power over state of charge", parts)


def _shared(kind: Sharing, top: float) -> Iterator[str]:
    def x(hours: float) -> float:
        return _LEFT + _WIDTH * hours / _HOURS

    def y(kw: float) -> float:
        return top + _HEIGHT * (1 - kw / _LIMIT_KW)

    yield text(8, top - 12, f"POWER_SHARING={kind.value}")
    yield from _axis(top, _LIMIT_KW, "kW")
    stretches = list(_course(kind))
    for (begin, powers), (end, _) in pairwise(stretches):
        below = 0.0
        for number, kw in enumerate(powers):
            if kw:
                middle, height = y(below + kw / 2), y(below) - y(below + kw)
                yield (  # a line as wide as the layer is high, because lines have the colours
                    f'<path class="{_SHADES[number]}" style="stroke-width:{height:.1f}" '
                    f'd="M{x(begin):.1f} {middle:.1f}H{x(end):.1f}"/>'
                )
            below += kw
    limits = ((0, _LIMIT_KW), (_CUT_FROM_H, _CUT_KW), (_CUT_TO_H, _LIMIT_KW), (_HOURS, _LIMIT_KW))
    points = [(x(0), y(_LIMIT_KW))]
    for at, kw in limits:
        points += [(x(at), points[-1][1]), (x(at), y(kw))]
    yield polyline(points, "line rule", ' stroke-dasharray="4 3"')
    for hours in (0, 0.5, 1, 1.5, 2):
        yield text(x(hours), top + _HEIGHT + 16, f"{hours:g} h", "small middle")


def _course(kind: Sharing) -> Iterator[tuple[float, Sequence[float]]]:
    """Yield the power of each vehicle from each time at which one changes, and at the end."""
    substation = Substation(4, 50, _LIMIT_KW, kind, time_scale=3600)  # its hour takes a second
    charging: list[Charging] = []
    now = 0.0
    while now < _HOURS:
        for at, demand in _ARRIVALS:
            if at == now:
                charging.append(substation.plug_in(demand, now))
        if now == _CUT_FROM_H:
            substation.set_limit(_CUT_KW, now, _CUT_TO_H)
        for one in substation.finished(now):
            substation.unplug(one, now, Outcome.CHARGED)
        yield now, [one.power_kw(now) for one in charging]
        event = substation.next_event(now)
        planned = [at for at, _ in _ARRIVALS if at > now] + [_CUT_FROM_H, _HOURS]
        now = min([at for at in planned if at > now] + ([event] if event is not None else []))
    yield _HOURS, []


def _axis(top: float, most: float, unit: str) -> Iterator[str]:
    for kw in range(0, int(most) + 1, 20):
        y = top + _HEIGHT * (1 - kw / most)
        yield f'<path class="rule" d="M{_LEFT} {y:.1f}h{_WIDTH}"/>'
        yield text(_LEFT - 6, y + 4, f"{kw} {unit}" if kw else "0", "small end")
    yield box(_LEFT, top + _HEIGHT, _WIDTH, 1, "cell")
