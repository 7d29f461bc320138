"""Assigns each vehicle to the least-loaded substation, and loses none."""
