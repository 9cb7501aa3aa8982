"""Two-stage routing: what carries over from one stage, and what identical requests lose."""
