"""This balancer and others in its place: the same real sites, the same vehicles, side by side."""
