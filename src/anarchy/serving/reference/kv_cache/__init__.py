"""Prefix caches, their tiers and eviction, and what a router hears of them late."""
