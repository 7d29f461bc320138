"""Sends vehicles to the grid, times them from when they were due, and checks the grid's books."""
