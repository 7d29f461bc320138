"""What the ledger costs by itself."""
