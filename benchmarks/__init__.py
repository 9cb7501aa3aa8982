"""How fast the simulator is, and where its time goes: `python -m benchmarks`.

Each module measures one thing and returns rows; `__main__` prints and keeps them. Every speed is a
median of repeated runs, and what is compared is measured in turns, because machines are shared.
"""
