"""The reference simulator: every mechanism, written to be read.

Reading begins at `system`, the way of a request, and goes on with the engines, `plain.engine` and
`paged.engine`, the workers beside them, and `router.dispatch`.
"""
