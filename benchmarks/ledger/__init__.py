"""What the gateway's ledger costs, and what becomes of sessions while it is away."""
