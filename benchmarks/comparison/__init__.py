"""Compares this balancer with others in its place, with the same substations and vehicles."""
