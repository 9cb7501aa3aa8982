"""The names of what is compiled; here, because who only asks for them needs no compiler."""

COMPILED_POLICIES = (
    "round-robin",
    "random",
    "join-shortest-queue",
    "power-of-two",
    "least-kv",
    "kv",
    "kv-1.6",
    "lmetric",
    "load-aware",
    "threshold",
    "decaying-credit",
    "two-choice-hashing",
    "latency-aware",
    "toll",
)
"""The policies that are arithmetic on what a router knows; their positions are their numbers."""
