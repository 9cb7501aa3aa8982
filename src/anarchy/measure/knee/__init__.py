"""The knee: where prefill is full, by operational laws and by simulation."""
