"""PoA-hat: every recipe of the index that the source's one sentence leaves open."""
