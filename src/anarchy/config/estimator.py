"""An estimator of PoA-hat: one choice for each thing that the source leaves open."""

from typing import Literal

from pydantic import Field

from anarchy.config.base import Count, Interval, Model, Name

Freezing = Literal["arrival", "window-start", "idle"]


class Estimator(Model):
    """How PoA-hat is computed from a request log; `measure/estimators` knows the names."""

    windowing: Name = Field("last-n", description="which requests are matched together")
    window: Count = Field(40, description="requests of a window of windowing last-n")
    seconds: Interval = Field(5.0, description="length or distance of windows in time, seconds")
    entry: Name = Field(
        "decode-latency", description="matrix entry of request i on worker j, in seconds or blocks"
    )
    freezing: Freezing | None = Field(
        None,
        description="the moment whose loads the entries are frozen at; null takes the entry's own",
    )
    matching: Name = Field(
        "balanced",
        description="balanced gives each worker ceil(n/m) places; rectangular assigns only "
        "min(n, m) requests while the numerator counts all; unconstrained has no capacity",
    )
    numerator: Name = Field(
        "frozen", description="cost of the actual routing: matrix entries, or what really happened"
    )
    aggregation: Name = Field("ratio-of-sums", description="how windows are put together")
