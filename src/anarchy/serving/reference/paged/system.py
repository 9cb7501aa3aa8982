"""What the compiled simulator takes from here until it takes it from where it is."""

from anarchy.serving.rules.feasibility import blocks_of_memory

__all__ = ["blocks_of_memory"]
