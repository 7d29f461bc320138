"""The decisions of the balancer. Pure: clock and randomness are passed in."""
