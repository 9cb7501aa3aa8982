"""Prefix caches, their tiers and eviction, and what a router sees of them late."""
