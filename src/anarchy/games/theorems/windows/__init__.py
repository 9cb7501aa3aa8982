"""Misjudged overlap under four readings of "equilibrium": four windows of safe weights."""
