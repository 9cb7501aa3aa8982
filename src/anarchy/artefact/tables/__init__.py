"""The tables of the paper, one module for each kind; `booktabs` lays them all out."""
