"""The simulated serving system: arrivals, prefill, hand-off, decode, caches and routers."""

from anarchy.serving import policies

__all__ = ["policies"]
