"""Capacity that changes: failures of workers, and a planner that moves GPUs between the pools."""
