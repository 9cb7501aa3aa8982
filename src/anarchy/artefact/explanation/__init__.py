"""The way of a number: from its name back to the files that it follows from."""
