"""What the compiled simulator takes from here until it takes it from `workload`."""

from anarchy.workload.random_streams import split_streams

__all__ = ["split_streams"]
