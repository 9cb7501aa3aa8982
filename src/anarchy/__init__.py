"""What selfishness costs in disaggregated LLM inference.

Games solved exactly, a serving simulator, and the paper that is built from both.
"""
