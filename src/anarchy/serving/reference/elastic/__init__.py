"""Pools that change: failures of workers, and a planner that moves GPUs."""
