"""The data that travels between the hops: charge requests, sessions, problems, descriptions."""
