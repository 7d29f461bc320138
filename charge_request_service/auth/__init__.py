"""Who may come in: API keys, a rate limit, names that this gateway answers to, its own pages."""
