"""One module per migration; never change one that a ledger in use has run."""
