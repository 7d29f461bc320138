"""Sends vehicles to the grid, measures from when each was due, and checks the grid's counters."""
