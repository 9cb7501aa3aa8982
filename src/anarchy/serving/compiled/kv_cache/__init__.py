"""The prefix caches of the compiled simulator."""
