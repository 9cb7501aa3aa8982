"""Measures the live stack: a closed loop of clients, the router's log, the metrics page."""
