"""The published claims, one entry each, with the tests that decide its verdict."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import Clients, Distinct, Model, Name, Prose, Title
from anarchy.config.claims.evidence import Comparison, Selection


class Mechanism(Model):
    """Something that the source does not say, under which a claim holds all the same."""

    text: Prose
    tests: list[Comparison] = Field(min_length=1)


class Change(Model):
    """A published change: a quantity of one deployment after over before, at a fixed load.

    The source names no load for most of its changes, so that several are asked.
    """

    quantity: Literal["throughput", "ttft-mean", "ttft-p99", "index"]
    ratio: Annotated[float, Field(gt=0)] = Field(description="after over before")
    scenario: Name | None = Field(None, description="null: every deployment")
    clients: Annotated[list[Clients], Distinct] = Field(
        default=[], description="loads at which it is held against a published throughput"
    )
    at: Clients = Field(192, description="the load at which mechanisms are held against it")


class Claim(Model):
    """A published claim: reproduced by its tests, or by those of a mechanism, or not at all."""

    id: Annotated[str, Field(pattern=r"^C[0-9]{2}$")]
    text: Prose = Field(description="the claim in our words")
    published: Title = Field(description="the value as published")
    mark: Literal["A", "B", "A/B"] = Field(
        description="A: its author or two readers say so; B: one reader"
    )
    where: Annotated[str, Field(pattern=r"^[a-z]+:[a-z0-9:-]+$", max_length=100)] = Field(
        description="label of the section, figure, table or theorem of the paper"
    )
    tests: list[Comparison] = []
    mechanisms: list[Mechanism] = Field(default=[], description="the first that holds counts")
    change: Change | None = None
    note: Prose | None = Field(None, description="why, where the verdict needs no mechanism")
    open: Prose | None = Field(
        None, description="why it is undecidable while its tests, or their results, are not there"
    )

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if not self.tests and self.open is None:
            raise ValueError(
                f"claim {self.id} has neither a rule with data in 'tests' nor a reason in 'open'"
            )
        if self.mechanisms and not self.tests:
            raise ValueError(f"claim {self.id} has mechanisms, but no 'tests' without it")
        return self

    @property
    def every_test(self) -> list[Comparison]:
        """Those of the claim as published, then those of its mechanisms."""
        return [*self.tests, *(test for m in self.mechanisms for test in m.tests)]

    @property
    def selections(self) -> Iterator[Selection]:
        """All rows that the claim rests on."""
        for test in self.every_test:
            yield from test.selections


class Ledger(Model):
    """config/claims.yaml."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.95, description="that all intervals of all claims hold together"
    )
    correction: Literal["bonferroni"] = Field(
        "bonferroni",
        description="every claim has an equal share of the error, and so has every interval of it",
    )
    claims: list[Claim] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_are_distinct(self) -> Self:
        ids = [claim.id for claim in self.claims]
        for position, name in enumerate(ids):
            if name in ids[:position]:
                raise ValueError(f"claims: claim {name} occurs twice")
        return self
