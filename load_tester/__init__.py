"""Sends vehicles to the grid, times them from when they were due, checks the grid's counters."""
