"""The compiled kernel: it returns the log of the SimPy system, at the speed of machine code.

`coverage` says which scenarios it has everything for, `run` runs them. Importing the package
imports no numba; importing `run` does. docs/performance.md describes the design.
"""
