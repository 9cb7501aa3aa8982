"""One tensor-parallel shard of a language model, built to be timed: see measure_latency.py.

`shapes`, `steps`, `grid`, `report` and `measure` know no PyTorch: what is measured, what it costs
at least and how it is kept can be tested anywhere. `layers`, `plain`, `agreement` and `devices`
need PyTorch, `kernels` needs Triton too.
"""
