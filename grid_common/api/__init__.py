"""What is sent between the hops: charge requests, sessions, problems, descriptions."""
