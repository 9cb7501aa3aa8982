"""Detects saturation from the tail of TTFT, and chooses the router's parameters by it."""
