"""The balancer's real routing core in scenes under a virtual clock, beside other ways to choose."""
