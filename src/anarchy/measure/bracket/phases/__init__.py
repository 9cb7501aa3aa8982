"""Brackets of closed loops whose clients change: of each phase, and of the whole run.

`by_phase` is the entrance; the proofs are in the paper's section on the controller.
"""
