from functools import partial

import numpy as np
import pytest
from pydantic import ValidationError

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.settings import load_scenario
from anarchy.measure.estimators import members as members_module
from anarchy.measure.estimators.members import (
    COLUMNS,
    LOADS,
    SETTING,
    VARIANT,
    cells,
    check_families,
    measure_family,
    members,
)
from anarchy.serving.service_times.lookup import load_latency


def test_members_are_the_combinations_that_make_sense(make_study):
    names = list(members(make_study()))
    # Two windows, two matchings; router-cost has no numerator but the frozen one.
    assert len(names) == 2 * 2 * (2 + 1)
    assert len(set(names)) == len(names)
    assert "last-n-8/decode-latency@idle/frozen/balanced/ratio-of-sums" in names
    assert "last-n-8/router-cost@arrival/frozen/rectangular/ratio-of-sums" in names


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("entries", [{"entry": "latency"}], "families: entry 1: entry: unknown entry 'latency'"),
        (
            "matchings",
            ["balanced", "perfect"],
            "entry 1: matching 'perfect' needs as many",
        ),
        ("numerators", ["frozen", "e2f"], "numerator: unknown numerator 'e2f'"),
    ],
)
def test_a_choice_that_makes_no_sense_with_any_other_is_refused(make_study, field, value, fault):
    family = make_study().families[0].model_dump() | {field: value}
    with pytest.raises(InputError, match=fault):
        check_families(make_study(families=[family]))
    check_families(make_study())


def test_cells_are_all_loads_then_settings_and_variants_at_two_of_them(make_study):
    found = cells(make_study())
    kinds = [cell.kind for cell in found]
    assert kinds == [LOADS] * 3 + ([SETTING] * 4 + [VARIANT]) * 2
    assert {cell.clients for cell in found if cell.kind != LOADS} == {16, 32}
    assert found[-1].set_fields == {"workload.clients": 32, "router.policy": "random"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"clients": [16, 2, 32]}, "ascending"),
        ({"deep": 64}, "deep: 64 is not in 'clients'"),
        ({"flat": [16, 31]}, "flat: 31 is not in 'clients'"),
        ({"survive": "deep"}, "survive: 'deep' is not in 'properties'"),
        ({"replications": 1}, "greater than or equal to 2"),
        ({"settings": {"router.temperature": [0.0]}}, "at least two combinations"),
    ],
)
def test_a_study_that_cannot_be_judged_is_refused(make_study, changes, fault):
    with pytest.raises(ValidationError, match=fault):
        make_study(**changes)


@pytest.fixture(scope="module")
def measure(make_study):
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p5d-v09")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    options = {"seed": 3, "requests": 64, "warmup_cycles": 1.0}
    return partial(measure_family, make_study(), scenario, latency, **options)


def test_every_member_is_measured_on_every_cell_and_always_alike(make_study, measure):
    numbers = measure(replication=0)
    assert numbers.shape == (len(cells(make_study())), len(members(make_study())), len(COLUMNS))
    # An idle router sees no cost at all, over which no ratio is one.
    predicted = [i for i, name in enumerate(members(make_study())) if "router-cost" not in name]
    assert np.isfinite(numbers[:, predicted, :3]).all()
    again = measure(replication=0)
    assert np.array_equal(numbers, again, equal_nan=True)
    other = measure(replication=1)
    assert not np.array_equal(numbers, other, equal_nan=True)
    observed = [i for i, name in enumerate(members(make_study())) if "/ttft/" in name]
    assert np.isnan(numbers[:, observed, 3:5]).all()
    assert (numbers[..., -1] > 0).all()
    frozen = [i for i in predicted if i not in observed]
    assert np.isfinite(numbers[:, frozen]).all()


def test_equal_logs_are_measured_once(make_study, measure, monkeypatch):
    """The overlap weight reaches no decision with one prefill worker."""
    made = []

    class Counted(members_module.Indices):
        def __init__(self, run, itl):
            made.append(run)
            super().__init__(run, itl)

    monkeypatch.setattr(members_module, "Indices", Counted)
    numbers = measure(replication=0)
    assert len(made) == 3 + 2 * (1 + 1)  # loads; at two of them another temperature, and random
    assert len(numbers) == len(cells(make_study()))
