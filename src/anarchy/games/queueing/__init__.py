"""Queues whose customers choose: waiting times, equilibria, the saturation point."""
