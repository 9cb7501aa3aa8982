"""Exports a histogram of TTFT with the edges of Dynamo v0.9.0, as a process of its own.

    python tests/control/exporter.py PORT

Each line on standard input is `MODEL SECONDS COUNT`: so many observations. It answers each with a
line, and ends when its standard input does.
"""

import sys

from prometheus_client import CollectorRegistry, Histogram, start_http_server

EDGES = (0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47)
EDGES += (1, 2.2, 4.7, 10, 22, 48, 100, 220, 480)

registry = CollectorRegistry()
histogram = Histogram(
    "dynamo_frontend_time_to_first_token_seconds",
    "Time to first token in seconds",
    ["model"],
    buckets=EDGES,
    registry=registry,
)
server, thread = start_http_server(int(sys.argv[1]), "127.0.0.1", registry)
print("ready", flush=True)
for line in sys.stdin:
    model, seconds, count = line.split()
    for _ in range(int(count)):
        histogram.labels(model).observe(float(seconds))
    print("done", flush=True)
server.shutdown()
