"""From quantities to the paper: macros, tables, figures, provenance."""
