"""The theorems on placement, and the instances that they are checked on."""
