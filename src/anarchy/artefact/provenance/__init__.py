"""What a build was made with and from, what it took, and the deposit that carries it elsewhere."""
