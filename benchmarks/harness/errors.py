"""What a benchmark shows as one line; any other error is a fault of the benchmark itself."""


class CannotMeasure(Exception):
    """Nothing can be measured, or not what was wanted; the message says why."""
