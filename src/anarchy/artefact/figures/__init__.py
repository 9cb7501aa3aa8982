"""The figures of the paper: experiments, studies, and one module for each of the theory."""
