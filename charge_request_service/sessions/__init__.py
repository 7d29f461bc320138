"""The gateway's sessions: they run here, and the ledger records them."""
