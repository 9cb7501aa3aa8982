"""The reference simulator: every mechanism, written to be read."""
