"""Access control: API keys, rate limits, host names, and cross-site requests."""
