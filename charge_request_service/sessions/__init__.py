"""Sessions as the gateway keeps them: the ledger, and what callers ask of it."""
