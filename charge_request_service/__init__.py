"""The gateway: the single entry point for vehicles."""
