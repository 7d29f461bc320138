"""The balancer's real routing core in scenes with a virtual clock, compared with baselines."""
