"""The figures of the paper: experiments, studies, comparisons; those of the theory in a folder."""
