"""The theorems on parallel queues, and the splits that they are checked with."""
