"""What both simulators keep to: the order of events of one instant, and when a run can end."""
