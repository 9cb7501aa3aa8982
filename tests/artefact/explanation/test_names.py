"""Names are found however people spell them; others are refused with what is like them."""

import pytest

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.names import Named, catalogue, find_name
from anarchy.common.errors import InputError


def test_all_kinds_are_listed(build: Build) -> None:
    assert catalogue(build) == {
        "macro": ["TailMost", "Gain", "TailNone"],
        "claim": ["C01", "C02"],
        "experiment": ["sweep"],
        "study": ["map"],
        "figure": ["sweep"],
        "table": ["experiments/sweep"],
        "theorem": ["thm:tail"],
        "results file": [
            "experiments/sweep.gains.json",
            "experiments/sweep.json",
            "points/sweep/0.json",
        ],
    }


def test_a_name_of_several_things_is_that_of_the_experiment(build: Build) -> None:
    assert find_name(build, "sweep") == Named("experiment", "sweep")


@pytest.mark.parametrize(
    ("given", "hint"),
    [("TailMots", "'TailMost'"), ("tailmost", "'TailMost'"), ("swep", "'sweep'"), ("C1", "'C01'")],
)
def test_a_misspelt_name_is_refused_with_the_one_like_it(
    build: Build, given: str, hint: str
) -> None:
    with pytest.raises(InputError, match=f"there is no '{given}'; did you mean .*{hint}"):
        find_name(build, given)


@pytest.mark.parametrize("given", ["", " ", "qqqqqq", "\\", "a\nb", "../x.json:y", "é" * 500, "*"])
def test_a_name_like_no_other_is_one_line(build: Build, given: str) -> None:
    with pytest.raises(InputError, match="without a name says what there is") as fault:
        find_name(build, given)
    assert "\n" not in str(fault.value)
