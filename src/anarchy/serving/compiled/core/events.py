"""The kinds of events; an event is its kind + KINDS * a number of its own.

The number is that of a client, a prefill worker, a request and a decode worker.
"""

from simpy.events import NORMAL

ARRIVE, STEP_ENDS, HANDED_OVER, BATCH_CHANGES, SETTLES = range(5)
KINDS = 8

PRIORITY = int(NORMAL)
"""Of all events but step boundaries of decode workers."""
