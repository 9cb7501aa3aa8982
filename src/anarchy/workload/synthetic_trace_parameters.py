"""The parameters of a synthetic trace fitted to a recorded one, and the files that hold them.

Each file of config/synthetic-traces is one `TraceParameters`: what
`anarchy.workload.synthetic_trace` generates requests from, and facts about the recording that they
are held against. None of it is a row of the recording.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from anarchy.common.errors import InputError, suggest
from anarchy.config.base import (
    Count,
    Duration,
    Factor,
    Model,
    Name,
    Prose,
    Real,
    Seconds,
    Title,
    Weight,
    Whole,
)
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml

Floats = NDArray[np.float64]
StartRate = Annotated[float, Field(ge=0.001, le=1000)]
Probability = Annotated[float, Field(ge=0, le=1)]


def _leaves_a_rest(row: tuple[float, float]) -> tuple[float, float]:
    if sum(row) > 1:
        raise ValueError("branch and repeat together must not exceed 1")
    return row


Kinds = Annotated[
    tuple[Probability, Probability], Field(strict=False), AfterValidator(_leaves_a_rest)
]
"""Probabilities that a turn branches off the one before or repeats it; else it extends it."""


class Table(Model):
    """A law as its quantile function, linear between the given points."""

    levels: list[Probability] = Field(min_length=2)
    values: list[Real] = Field(min_length=2)

    @model_validator(mode="after")
    def _is_a_quantile_function(self) -> Self:
        if len(self.levels) != len(self.values):
            raise ValueError(f"{len(self.levels)} levels, but {len(self.values)} values")
        if any(low >= high for low, high in pairwise(self.levels)):
            raise ValueError("'levels' must rise")
        if (self.levels[0], self.levels[-1]) != (0, 1):
            raise ValueError("'levels' must go from 0 to 1")
        if any(low > high for low, high in pairwise(self.values)):
            raise ValueError("'values' must not fall")
        return self

    def at(self, levels: Floats) -> Floats:
        """The quantiles at the given levels."""
        return np.interp(levels, self.levels, self.values)


class Provenance(Model):
    """What the parameters were fitted to."""

    trace: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: Title
    citation: Prose
    note: Prose


class Starts(Model):
    """Conversations started per second: from `before` to `after` within `ramp` seconds."""

    before: StartRate
    after: StartRate
    ramp: Duration


class FirstTurn(Model):
    """First prompts in classes of length, `limits` tokens being where the next class begins."""

    input: Table
    output: Table
    correlation: Annotated[float, Field(gt=-1, lt=1)] = Field(
        description="of the prompt's normal score with what the conversation's answers share"
    )
    limits: list[Count]
    go_on: list[Probability] = Field(description="probability of a second turn, by class")
    kinds: list[Kinds] = Field(description="of the second turn: branch, repeat; by class")

    @model_validator(mode="after")
    def _classes_match(self) -> Self:
        classes = len(self.limits) + 1
        if not len(self.go_on) == len(self.kinds) == classes:
            raise ValueError(f"'go_on' and 'kinds' need {classes} entries, one per class")
        if any(low >= high for low, high in pairwise(self.limits)):
            raise ValueError("'limits' must rise")
        return self


class PauseScore(Model):
    """What long pauses go with: weights of standard scores in the normal score of a pause.

    The prompt's score is (log(prompt) - `log_mean`) / `log_deviation`.
    """

    prompt: Annotated[float, Field(gt=-1, lt=1)]
    added: Annotated[float, Field(gt=-1, lt=1)] = Field(description="text added after the pause")
    log_mean: Real
    log_deviation: Factor

    @model_validator(mode="after")
    def _leaves_a_rest(self) -> Self:
        if self.prompt**2 + self.added**2 >= 1:
            raise ValueError("the squares of 'prompt' and 'added' must sum to less than 1")
        return self


class LaterTurns(Model):
    """Turns after the first one."""

    go_on: list[Probability] = Field(
        min_length=1, description="probability of one more turn after the second, third, ..."
    )
    kinds: tuple[Kinds, Kinds, Kinds] = Field(
        strict=False,
        description="branch, repeat after a branch, a repeat, an extension: a Markov chain",
    )
    output: Table
    pause: Table = Field(description="seconds from one turn to the next")
    pause_score: PauseScore
    added_first: Table = Field(
        description="second turn extending: prompt - previous prompt - previous answer"
    )
    added: Table = Field(description="the same for later turns")
    kept: Table = Field(description="branching off a turn that is none: share of blocks kept")
    kept_more: Table = Field(description="branching again: blocks kept beyond those kept before")
    regrowth: Weight = Field(description="branching: slope of log(prompt) in log(previous prompt)")
    growth: Table = Field(description="branching: log(prompt) - slope * log(previous prompt)")

    @model_validator(mode="after")
    def _conversations_end(self) -> Self:
        if self.go_on[-1] == 1:
            raise ValueError("the last entry of 'go_on' must be below 1")
        if self.pause.values[0] < 0:
            raise ValueError("'pause' must not be negative")
        return self


class Persistence(Model):
    """Correlations of normal scores between any two turns of one conversation."""

    output: Probability
    pause: Probability
    added: Probability


class TraceParameters(Model):
    """The parameters of a synthetic trace; a file of config/synthetic-traces."""

    provenance: Provenance
    block_tokens: Count
    common_blocks: Annotated[Whole, Field(ge=0)] = Field(
        description="leading blocks that all prompts share"
    )
    tick: Seconds = Field(description="seconds; arrival times are multiples; 0 is exact times")
    longest_input: Count
    starts: Starts
    first: FirstTurn
    later: LaterTurns
    persistence: Persistence
    facts: dict[Name, Real] = Field(description="statistics of the recording itself")

    @model_validator(mode="after")
    def _prompts_exceed_the_common_blocks(self) -> Self:
        common = self.common_blocks * self.block_tokens
        if self.first.input.values[0] <= common:
            raise ValueError(f"first.input: prompts must exceed the {common} common tokens")
        return self


def load_trace_parameters(folder: Path, name: str) -> TraceParameters:
    """Read the parameters `name` from `folder`; raises InputError for an unknown or faulty one."""
    path = folder / f"{name}.json"
    if not path.is_file():
        known = [file.stem for file in folder.glob("*.json")]
        raise InputError(f"{path}: unknown synthetic trace '{name}'; {suggest(name, known)}")
    return validate(TraceParameters, read_yaml(path), str(path))
