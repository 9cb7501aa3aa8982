"""The configuration models: the one source of the schema of every YAML file.

One file for each section of a scenario, and one for each other kind of file. Times are in seconds,
sizes in bytes or tokens. Unknown keys are refused.
"""
