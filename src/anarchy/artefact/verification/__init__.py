"""A build held against what was committed: environment, golden values, claims, PDF, provenance."""
