"""Plumbing that every service shares, and nothing else."""
