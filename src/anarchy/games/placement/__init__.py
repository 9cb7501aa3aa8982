"""Game 2, the placement of KV blocks on the caches of a network."""
