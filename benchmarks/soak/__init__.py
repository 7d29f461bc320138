"""Runs the grid under load and random faults for a long time: leaks, losses, double charges."""
