"""The simulator against what is known exactly: queues, closed loops, conservation laws.

`queue_scenarios` feeds the serving system so that it is a queue of the textbooks, `open_queues` and
`closed_loops` compare it with closed forms, `conservation` counts what goes in and comes out, and
`checks.judge` turns many checks into one verdict by a rule that is fixed beforehand.
"""
