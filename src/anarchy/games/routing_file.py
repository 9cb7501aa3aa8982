"""Files of routing games: requests that each choose workers, of one stage or of two."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from anarchy.config.base import Model
from anarchy.games.common.exact_fields import Matrix, Number, OneOf, Vector, Whole
from anarchy.games.game_limits import MAX_EVALUATIONS, MAX_PLAYERS, MAX_TERMS


class LatencyFile(OneOf):
    """Latency of a resource by load."""

    polynomial: Vector | None = None
    mm1: Number | None = None
    table: Vector | None = None

    @field_validator("polynomial")
    @classmethod
    def _not_too_long(cls, terms: tuple[Fraction, ...] | None) -> tuple[Fraction, ...] | None:
        if terms is not None and len(terms) > MAX_TERMS:
            raise ValueError(f"{len(terms)} coefficients; allowed: {MAX_TERMS}")
        return terms

    @property
    def terms(self) -> int:
        """How many operations one value takes."""
        return len(self.polynomial or (1,))


class StrategyFile(Model):
    """One choice of a player."""

    resources: list[str]
    offset: Number = Fraction(0)

    @field_validator("resources")
    @classmethod
    def _no_resource_twice(cls, resources: list[str]) -> list[str]:
        for position, resource in enumerate(resources):
            if resource in resources[:position]:
                raise ValueError(f"'{resource}' is given twice")
        return resources


class CopiesFile(Model):
    """What stands for one player, or for `count` players that are all alike."""

    count: Whole = 1

    @field_validator("count")
    @classmethod
    def _at_least_one(cls, count: int) -> int:
        if not 1 <= count <= MAX_PLAYERS:
            raise ValueError(f"must be from 1 to {MAX_PLAYERS}")
        return count


class PlayerFile(CopiesFile):
    """Players and what they may choose."""

    strategies: list[StrategyFile]


class ColocationFile(Model):
    """Credits between players that choose the same set of resources."""

    credit: Matrix
    combine: Literal["sum", "max"] = "sum"
    weight: Number = Fraction(1)


class CongestionFile(Model):
    """A finite congestion game."""

    kind: Literal["congestion"]
    latency: dict[str, LatencyFile]
    players: list[PlayerFile]
    perceived_offset_weight: Number = Fraction(1)
    colocation: ColocationFile | None = None

    @field_validator("players")
    @classmethod
    def _not_too_many(cls, players: list[PlayerFile]) -> list[PlayerFile]:
        _check_copies(players)
        return players

    @model_validator(mode="after")
    def _can_be_evaluated(self) -> Self:
        _check_evaluations(self.players, self.latency)
        return self


class RequestFile(CopiesFile):
    """Requests, and by stage the workers that they may use with the offset that each has there.

    A stage that is left out allows all of its workers, without offsets; `pairs` allows only some
    of the combinations.
    """

    prefill: dict[str, Number] | None = None
    decode: dict[str, Number] | None = None
    pairs: list[Annotated[list[str], Field(min_length=2, max_length=2)]] | None = None

    @field_validator("pairs")
    @classmethod
    def _no_pair_twice(cls, pairs: list[list[str]] | None) -> list[list[str]] | None:
        for position, pair in enumerate(pairs or ()):
            if pair in (pairs or ())[:position]:
                raise ValueError(f"{pair} is given twice")
        return pairs


class TwoStageFile(Model):
    """Requests that each choose a prefill worker and a decode worker."""

    kind: Literal["two-stage"]
    prefill: dict[str, LatencyFile]
    decode: dict[str, LatencyFile]
    requests: list[RequestFile]
    hand_off: dict[str, dict[str, Number]] = Field(default={})
    perceived_offset_weight: Number = Fraction(1)

    @field_validator("requests")
    @classmethod
    def _not_too_many(cls, requests: list[RequestFile]) -> list[RequestFile]:
        _check_copies(requests)
        return requests

    @model_validator(mode="after")
    def _can_be_evaluated(self) -> Self:
        for stage in (self.prefill, self.decode):
            _check_evaluations(self.requests, stage)
        return self


def _check_copies(players: Sequence[CopiesFile]) -> None:
    if sum(player.count for player in players) > MAX_PLAYERS:
        raise ValueError(f"too many with their copies; allowed: {MAX_PLAYERS}")


def _check_evaluations(players: Sequence[CopiesFile], latencies: Mapping[str, LatencyFile]) -> None:
    """Each latency is wanted at every load."""
    count = sum(player.count for player in players)
    terms = sum(latency.terms for latency in latencies.values())
    if count * terms > MAX_EVALUATIONS:
        raise ValueError(
            f"{count} players and latencies of {terms} terms are too many together; "
            f"allowed: a product of {MAX_EVALUATIONS}"
        )
