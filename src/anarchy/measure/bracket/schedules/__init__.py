"""Schedules of a run's requests, among which the best is sought: `search` is the entrance."""
