"""Database backends: Valkey, Redis and KeyDB servers."""
