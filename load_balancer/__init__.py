"""Hands each vehicle to the substation that is least loaded, and loses none."""
