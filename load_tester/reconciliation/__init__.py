"""Holds what the vehicles were answered against the grid's own counters."""
