"""What the compiled simulator takes from here until it takes it from where it is."""

from anarchy.serving.rules.feasibility import all_wait
from anarchy.serving.service_times.unloaded import unloaded_seconds

__all__ = ["all_wait", "unloaded_seconds"]
