"""The simulator beside another one: NVIDIA Dynamo's offline replay of traces and its KV router.

Their wheel (`ai-dynamo-runtime`) is optional. `requests`, `choices`, `units` and `runs` measure
with it; what they found is kept as a dated reference file, which `verdicts` judges without it.
"""
