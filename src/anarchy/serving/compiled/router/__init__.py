"""Routing in the compiled simulator: policies, worker loads, the dispatcher."""
