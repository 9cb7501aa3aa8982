"""How long prefill and decode steps take: tables, interpolation, speeds of workers."""
