"""The ledger's migrations, and the one way to run them."""
