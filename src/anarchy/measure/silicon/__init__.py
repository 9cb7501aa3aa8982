"""The models of the source on GPUs whose service times were measured."""
