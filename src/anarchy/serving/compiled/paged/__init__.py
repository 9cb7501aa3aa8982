"""Systems with paged memory, compiled: the mirror of `reference.paged`."""
