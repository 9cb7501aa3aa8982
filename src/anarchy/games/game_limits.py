"""The largest games that are solved: within seconds, and in less than a gigabyte."""

MAX_NODES = 200
"""Largest network, other than a line: its placements have to be searched."""

MAX_PRICES = MAX_NODES**2
"""Most nodes times nodes times objects of such a network."""

MAX_LINE = 1000
"""Most nodes times objects of a line, which is solved node by node."""

MAX_CLIENTS = 3000
"""Most clients of a closed network: its exact results have several digits for each of them."""

MAX_DEGREE = 100
"""Largest degree of a reference bound; the constants of much higher ones exceed every float."""

MAX_PLAYERS = 10_000
"""Most players of a routing game, copies included."""

MAX_TERMS = MAX_DEGREE + 1
"""Most coefficients of a polynomial."""

MAX_EVALUATIONS = 100_000
"""Most terms of latencies times players: each latency is wanted at every load."""

MAX_BOUND_WORK = 30_000
"""Most players times players times coefficients of a tight bound: 60 players of degree 5."""

MAX_HIGH_DEGREE_PLAYERS = 12
"""Most players of a tight bound for latencies of a degree above 5."""

MAX_SERVERS = 20_000
"""Most parallel queues."""

MAX_DISPATCHERS = 10**6
"""Most dispatchers; so many are as good as a stream of single requests."""

MAX_VALUES = 2 * 10**6
"""Most values of a file: enough for the distances and the demands of the largest network. That many
fit into JSON only; YAML takes far longer to read and may hold fewer."""
