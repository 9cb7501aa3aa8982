"""`config/claims.yaml`: the published claims, and by what rule and data each is judged."""
