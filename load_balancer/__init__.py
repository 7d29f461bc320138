"""Sends each vehicle to the substation that is expected to charge it first, and loses none."""
