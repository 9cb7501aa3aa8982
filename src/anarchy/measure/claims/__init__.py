"""The ledger: every published claim is held against results, by rules that are data."""
