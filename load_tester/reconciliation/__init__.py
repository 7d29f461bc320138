"""Compares the responses to vehicles with the grid's own counters."""
