"""The engine with paged KV memory: requests hold blocks, and may be preempted."""
