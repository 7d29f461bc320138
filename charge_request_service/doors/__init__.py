"""Who may come in: API keys, a rate limit, and the names that this gateway answers to."""
