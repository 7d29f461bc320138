"""One module a migration; a ledger that is in use never sees one change."""
