"""The theorems of the paper: one module each, with its closed forms and its executable checks.

A module offers `check_rows()`, instances on which the statement is compared with a solver that
knows nothing of it, and, where a figure shows the statement, `curve_rows()`.
"""
