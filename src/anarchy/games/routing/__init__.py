"""Game 3, routing: congestion games on workers, and the ways to solve them."""
