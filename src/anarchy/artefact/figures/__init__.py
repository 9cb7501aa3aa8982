"""The figures of the theory: one module each, `plot(rows, out_base)`."""
