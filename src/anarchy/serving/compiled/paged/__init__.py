"""The kernel of systems with paged memory: the mirror of `serving.paged` and what it is made of."""
