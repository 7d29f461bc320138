"""Measures what the gateway's ledger costs, and what happens to sessions while it fails."""
