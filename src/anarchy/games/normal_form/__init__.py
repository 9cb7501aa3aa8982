"""Finite games as tables of payoffs, the form in which other programs read and write them."""
