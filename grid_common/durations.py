"""Histograms of times for a process of one thread: the library's own take a lock for each bucket.

What Prometheus reads is the same; counting takes a fifth of the time (docs/performance.md).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

__all__ = ["DURATION_BUCKETS", "Duration", "Durations"]

# Charges take seconds to minutes, everything else milliseconds: buckets for both.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Duration:
    """The times of one set of labels, seconds."""

    __slots__ = ("_bounds", "_counts", "_names", "_sum")

    def __init__(self, bounds: Sequence[float], names: Sequence[str]) -> None:
        self._bounds = bounds
        self._names = names
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count a time: a bucket's bound is in it."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def show(self) -> tuple[list[tuple[str, float]], float]:
        """Return the count up to each bound, and the sum."""
        counts = [float(count) for count in accumulate(self._counts)]
        return list(zip(self._names, counts, strict=True)), self._sum


class Durations(Collector):
    """A histogram, by labels."""

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        registry: CollectorRegistry,
        bounds: Sequence[float] = DURATION_BUCKETS,
    ) -> None:
        """Build it, with nothing counted.

        Args:
            name: of the metric.
            help_text: says what it counts.
            labels: their names.
            registry: shows it.
            bounds: of its buckets, up to 100,000 and no finer than 0.001, in ascending order,
                without infinity.
        """
        self._name, self._help, self._label_names = name, help_text, labels
        self._bounds = bounds
        self._names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        self._by_labels: dict[tuple[str, ...], Duration] = {}
        if not labels:
            self.labels()
        registry.register(self)

    def labels(self, *values: str) -> Duration:
        """Return the part of these labels."""
        found = self._by_labels.get(values)
        if found is None:
            found = self._by_labels[values] = Duration(self._bounds, self._names)
        return found

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield its name, so that no other metric takes it."""
        yield HistogramMetricFamily(self._name, self._help)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield what was counted."""
        family = HistogramMetricFamily(self._name, self._help, labels=self._label_names)
        for values, duration in self._by_labels.items():
            family.add_metric(values, *duration.show())
        yield family
