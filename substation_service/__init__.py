"""A substation with charging points: holds each vehicle's request while it charges."""
