"""HTTP between the hops: server, client, cancellation. It imports nothing else of the project."""
