"""The gamma function's relatives that the standard library lacks. Pure."""

import math

_TOLERANCE = 1e-12
_MOST_TERMS = 200


def digamma(x: float) -> float:
    """Return the derivative of log gamma: recurrence up to 8, then the asymptotic series."""
    shift = 0.0
    while x < 8:
        shift -= 1 / x
        x += 1
    f = 1 / (x * x)
    series = f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))
    return shift + math.log(x) - 1 / (2 * x) - series


def trigamma(x: float) -> float:
    """Return the second derivative of log gamma, the same way."""
    shift = 0.0
    while x < 8:
        shift += 1 / (x * x)
        x += 1
    f = 1 / (x * x)
    return shift + 1 / x + f / 2 + f / x * (1 / 6 - f * (1 / 30 - f * (1 / 42 - f / 30)))


def lower_gamma(shape: float, x: float) -> float:
    """Return the regularised lower incomplete gamma function: the gamma distribution's share."""
    if x <= 0:
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        return front * _gamma_series(shape, x)
    return 1 - front * _gamma_fraction(shape, x)


def _gamma_series(shape: float, x: float) -> float:
    term = total = 1 / shape
    step = shape
    while abs(term) > abs(total) * _TOLERANCE:
        step += 1
        term *= x / step
        total += term
    return total


def _gamma_fraction(shape: float, x: float) -> float:
    """Sum the continued fraction of the upper part by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - shape
    c = 1 / tiny
    d = 1 / b
    total = d
    for i in range(1, _MOST_TERMS):
        a = -i * (i - shape)
        b += 2
        d = 1 / (a * d + b or tiny)
        c = b + a / c or tiny
        total *= d * c
        if abs(d * c - 1) < _TOLERANCE:
            break
    return total
