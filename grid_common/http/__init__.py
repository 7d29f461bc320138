"""HTTP between the hops: server, client, cancellation. It knows nothing of charging."""
