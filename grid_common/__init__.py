"""Plumbing shared by all services, and nothing else."""
