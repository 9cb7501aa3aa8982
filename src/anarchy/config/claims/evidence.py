"""What a claim is held against: rows of results, and a rule that makes one number of them."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from anarchy.config.base import Distinct, Model, Name, Prose, Scalar, Title

ResultsFile = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*\.json$", max_length=200)
]

Wanted = Scalar | Sequence[Scalar] | None
"""What a column has to be: a value, or one of several."""


class Selection(Model):
    """Rows of a results file, and the column in which their numbers are."""

    file: ResultsFile = Field(description="relative to the results folder")
    id: Title | list[Title] | None = Field(None, description="one, or any of several")
    where: dict[Title, Scalar | list[Scalar] | None] = Field(
        default={}, description="columns to match"
    )
    field: Title = Field(
        "value", description="the column; its interval is `lo` and `hi`, or <field>_lo and _hi"
    )

    @property
    def columns(self) -> dict[str, Wanted]:
        """Everything that a row has to match."""
        named: dict[str, Wanted] = {} if self.id is None else {"id": self.id}
        return {**named, **self.where}


class Comparison(Model):
    """One comparison: what a rule makes of the rows, group by group, lies between two ends.

    It holds if it does so with its whole interval for all groups, fails if one group's interval
    lies outside, and decides nothing otherwise.
    """

    text: Prose = Field(description="what is compared, for readers")
    rule: Name = Field(description="a registered rule")
    rows: Selection
    of: Selection | None = Field(None, description="what a ratio is taken of")
    per: Annotated[list[Title], Distinct] = Field(
        default=[], description="columns that tell the groups apart; none: all rows are one"
    )
    unit: Title = Field("1", description="of what the rule computes")
    at_least: float | None = None
    at_most: float | None = None
    denies: bool = Field(
        True,
        description="whether a failure contradicts the claim; not where it is about a machine that "
        "no simulator has",
    )

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> Self:
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:  # type: ignore[operator]
            raise ValueError(f"'at_least' ({self.at_least}) is above 'at_most' ({self.at_most})")
        return self

    @property
    def selections(self) -> Iterator[Selection]:
        """The rows, and those that they are compared with."""
        yield self.rows
        if self.of is not None:
            yield self.of
