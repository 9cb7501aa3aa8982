"""What both compiled loops share: compilation, records, the event queue, requests."""
