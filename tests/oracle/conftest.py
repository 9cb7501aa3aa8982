"""The other simulator: NVIDIA Dynamo's offline replay of traces, where its wheel is installed."""

import pytest

from anarchy.common.errors import InputError
from anarchy.measure.validation.dynamo.replay import Request, load_dynamo, recorded_requests


@pytest.fixture(scope="session", autouse=True)
def _needs_the_oracle() -> None:
    try:
        load_dynamo()
    except InputError as fault:
        pytest.skip(str(fault))


@pytest.fixture(scope="session")
def recorded() -> list[Request]:
    """The Mooncake conversation trace, if it is at hand."""
    try:
        return recorded_requests()
    except InputError as fault:
        pytest.skip(f"the trace is not at hand: {fault}")
