"""Kills parts of the grid under load, and checks that nothing is lost or charged twice."""
