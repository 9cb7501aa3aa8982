"""Game 1, the split of GPUs between prefill and decode, alone and coupled with routing."""
