"""This balancer and others in its place.

The same real substations, the same vehicles, side by side.
"""
