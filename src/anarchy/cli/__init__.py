"""The `anarchy` command."""
