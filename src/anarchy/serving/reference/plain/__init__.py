"""The engine whose running requests take no memory: prefill, KV transfer, decode."""
