"""The event queue, requests and clients, and the pool of KV blocks."""
