"""The gateway's side of the balancers: finds them, watches their health, forwards to them."""
