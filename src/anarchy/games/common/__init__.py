"""What several games share: exact numbers, latencies, enumeration, reports of equilibria."""
