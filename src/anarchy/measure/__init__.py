"""From request logs to quantities with intervals."""
