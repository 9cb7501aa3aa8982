"""How much a run lost to the best assignment of its requests: bounds that are proved, and replays.

`run_bracket` is the entrance; the proofs are in the paper's section on the bracket.
"""
