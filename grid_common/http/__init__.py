"""HTTP between the hops: server, client, cancellation. Independent of charging."""
