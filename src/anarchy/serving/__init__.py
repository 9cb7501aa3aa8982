"""The simulated serving system: arrivals, prefill, hand-off, decode, caches and routers."""
