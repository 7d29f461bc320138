"""The gateway: the one door for vehicles."""
