"""Figures of the theory: curves that solvers computed, nothing simulated."""
