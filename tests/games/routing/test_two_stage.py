"""Two stages: taken one at a time where they may be, pair by pair where not."""

from fractions import Fraction

import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.games.common.latency import MM1, Polynomial, Table
from anarchy.games.routing import enumeration, two_stage
from anarchy.games.routing.two_stage import Request, TwoStageGame

LINEAR = Polynomial((Fraction(0), Fraction(1)))
COMPARED = ("equilibria", "optimum", "best_equilibrium", "worst_equilibrium", "price_of_anarchy")


def anywhere(*names: str) -> dict[str, Fraction]:
    return dict.fromkeys(names, Fraction(0))


def alike(count: int, **game: object) -> TwoStageGame:
    """Identical requests on two linear workers a stage."""
    request = Request(anywhere("a", "b"), anywhere("c", "d"))
    stages = {"a": LINEAR, "b": LINEAR}, {"c": LINEAR, "d": LINEAR}
    return TwoStageGame(*stages, (request,) * count, **game)  # type: ignore[arg-type]


def drawn(random: np.random.Generator, gamma: Fraction) -> TwoStageGame:
    """Three requests with offsets of their own, which may use some workers of each stage."""
    stages = [
        {name: Polynomial(tuple(map(Fraction, random.integers(0, 3, 2).tolist()))) for name in s}
        for s in ("abc", "de")
    ]
    requests = []
    for _ in range(3):
        paid = [{n: Fraction(int(random.integers(0, 4))) for n in stage} for stage in stages]
        paid[0].pop("abc"[random.integers(3)])
        requests.append(Request(*paid))
    return TwoStageGame(stages[0], stages[1], tuple(requests), {}, gamma)


@pytest.mark.parametrize("gamma", [Fraction(1, 2), Fraction(1), Fraction(3)])
def test_stages_taken_one_at_a_time_give_what_all_pairs_give(gamma: Fraction) -> None:
    random = np.random.default_rng(3)
    for _ in range(15):
        game = drawn(random, gamma)
        apart, pairs = two_stage.solve(game), enumeration.solve(game.congestion())
        assert [getattr(apart, q) for q in COMPARED] == [getattr(pairs, q) for q in COMPARED]
        choices = [[*request.choices] for request in game.requests]
        named = [
            tuple(">".join(own[k]) for own, k in zip(choices, profile, strict=True))
            for profile in pairs.profiles or ()
        ]
        assert list(apart.profiles or ()) == named


def test_many_requests_are_exact_where_the_stages_are_apart() -> None:
    found = two_stage.solve(alike(200))
    assert found.exact
    assert found.optimum == found.worst_equilibrium == 2 * 2 * 100**2
    assert found.profiles is None


def test_a_hand_off_binds_the_stages_together() -> None:
    """Without it each request is content with any worker beside the other request's."""
    free, bound = two_stage.solve(alike(2)), two_stage.solve(alike(2, hand_off={("a", "c"): 5}))
    assert free.equilibria == 4
    assert bound.profiles == (("a>d", "b>c"), ("b>c", "a>d"))
    assert bound.optimum == 4


def test_a_request_chooses_by_the_weighted_offset_and_by_the_whole_hand_off() -> None:
    workers = {"a": Polynomial((Fraction(0),)), "b": Polynomial((Fraction(3),))}
    free = {"c": Polynomial((Fraction(0),))}
    cold = Request({"a": Fraction(4), "b": Fraction(0)}, anywhere("c"))
    weighed = TwoStageGame(workers, free, (cold,), {}, Fraction(1, 2))
    assert two_stage.solve(weighed).worst_equilibrium == 4
    warm = Request(anywhere("a", "b"), anywhere("c"))
    handed = TwoStageGame(workers, free, (warm,), {("a", "c"): Fraction(4)}, Fraction(1, 2))
    assert two_stage.solve(handed).worst_equilibrium == 3


def test_links_of_workers_with_odd_names_are_told_apart() -> None:
    free = Polynomial((Fraction(0),))
    request = Request(anywhere("a", "a>b"), anywhere("c", "b>c"))
    links = {("a", "b>c"): Fraction(1), ("a>b", "c"): Fraction(7), ("a", "c"): Fraction(9)}
    game = TwoStageGame(
        dict.fromkeys(request.prefill, free),
        dict.fromkeys(request.decode, free),
        (request,),
        links | {("a>b", "b>c"): Fraction(9)},
    )
    assert two_stage.solve(game).optimum == 1


def test_overload_in_one_stage_leaves_the_other_to_chance() -> None:
    """Whoever waits for ever is content with any decode worker, so that pairs are enumerated."""
    full = {"a": MM1(Fraction(1))}
    request = Request(anywhere("a"), anywhere("c", "d"))
    game = TwoStageGame(full, {"c": LINEAR, "d": LINEAR}, (request,) * 2)
    found = two_stage.solve(game)
    assert found.equilibria == 4
    assert found.price_of_anarchy is None


def test_what_cannot_be_solved_is_refused() -> None:
    with pytest.raises(InputError, match=r"about 10\^24 profiles, too many to enumerate; allowed"):
        two_stage.solve(alike(40, hand_off={("a", "c"): Fraction(1)}))
    with pytest.raises(InputError, match="bounds need stages that know nothing of each other"):
        two_stage.solve(alike(2, hand_off={("a", "c"): Fraction(1)}), "bounds")
    with pytest.raises(InputError, match="requests: at least one"):
        two_stage.solve(alike(0))
    with pytest.raises(InputError, match=r"hand_off\.a: no worker 'x'"):
        alike(1, hand_off={("a", "x"): Fraction(1)})
    short = {"a": Table((Fraction(1),))}
    request = Request(anywhere("a"), anywhere("c"))
    with pytest.raises(InputError, match=r"^prefill\.a\.table: gives loads 1 to 1"):
        two_stage.solve(TwoStageGame(short, {"c": LINEAR}, (request,) * 2))


def test_bounds_of_both_stages_are_added() -> None:
    exact, bounds = two_stage.solve(alike(5)), two_stage.solve(alike(5), "bounds")
    assert bounds.optimum == exact.optimum
    assert not bounds.exact
    assert bounds.bounds is not None
