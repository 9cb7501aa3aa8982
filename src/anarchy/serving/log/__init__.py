"""The log of a run: one row per request, its writers, its summary."""
