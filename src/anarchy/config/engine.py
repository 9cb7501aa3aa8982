"""`engine`: how the workers of both pools prefill, cache, hand over and decode."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import Bandwidth, Count, Interval, Model, Seconds, Whole


class Prefill(Model):
    """Batching of a prefill worker: a step takes queued prompts in order while both limits hold.

    A prompt with more uncached tokens than `batch_tokens` is a step of its own, unless it is
    chunked.
    """

    batch_requests: Count = Field(1, description="most prompts in one step; 1 is serial prefill")
    batch_tokens: Count = Field(8192, description="most uncached tokens in one step")
    chunked: bool = Field(
        False, description="whether a prompt is split over steps, so that each of them is full"
    )


class Decode(Model):
    """Admission of a decode worker; requests above the limit wait in order of arrival."""

    slots: Count = Field(256, description="most sequences decoded together")


class Tier(Model):
    """A tier of the prefix cache below HBM: its size and what it takes to fetch blocks from it.

    The blocks of one prompt take latency + bytes / bandwidth; other workers' do not slow them.
    """

    capacity_tokens: Annotated[Whole, Field(ge=0, le=1_000_000_000_000)] = Field(
        0, description="tokens that it can keep; 0 leaves the tier out"
    )
    bandwidth: Bandwidth | None = Field(
        None, description="bytes per second into HBM; null is infinite"
    )
    latency: Seconds = Field(0.0, description="seconds before the first byte of a prompt")


class PrefixCache(Model):
    """The prefix cache of whole blocks that each worker keeps, in HBM and in tiers below it.

    A block that is evicted moves to the next tier that there is; one that a prompt uses comes
    back to HBM.
    """

    enabled: bool = True
    block_tokens: Count = Field(64, description="tokens in one block; traces bring their own")
    capacity_tokens: Count = Field(2_097_152, description="tokens that one worker can keep in HBM")
    whole_blocks: bool = Field(
        False,
        description="whether prompts take whole blocks only, so that the last block of one that is "
        "cached to its end is computed anew, as in vLLM and with paged memory; if not, its last "
        "token is",
    )
    eviction: Literal["lru", "frequency"] = Field(
        "lru",
        description="which block goes first, the least recently or the least frequently used; a "
        "frequency starts at 1, doubles at each use and decays",
    )
    decay_interval: Interval = Field(
        600.0, description="seconds in which every block's frequency loses 1"
    )
    host: Tier = Field(Tier(), description="G2, each worker's host memory")
    disk: Tier = Field(Tier(), description="G3, each worker's local disk")
    network: Tier = Field(Tier(), description="G4, one store for all workers of the pool")
    disk_frequency: Annotated[Whole, Field(ge=0)] = Field(
        2, description="least frequency of a block that is written to disk; others pass it by"
    )
    onboarding: Literal["serial", "parallel"] = Field(
        "serial",
        description="whether a prefill step fetches its prompts' blocks first and then computes, "
        "or does both at once and ends with the later",
    )
    recompute: bool = Field(
        False,
        description="whether blocks of lower tiers are computed anew where that ends the step "
        "earlier than fetching them",
    )

    def most_taken(self, prompt: int, block_tokens: int) -> int:
        """Tokens that a prompt takes from the cache at most, by the tokens of a block."""
        most = prompt - 1
        return most // block_tokens * block_tokens if self.whole_blocks else most


class Memory(Model):
    """What limits the KV cache that running requests hold."""

    paged: bool = Field(
        False,
        description="whether requests hold blocks of cache.capacity_tokens beside the prefixes "
        "cached there; a request waits until its prompt has room, and a hand-off until decode "
        "has; if not, only cached prefixes take memory",
    )
    visible: Literal["scheduled", "step-end"] = Field(
        "step-end",
        description="paged: when other prompts find a block, as soon as a step is to compute it "
        "or when that step has ended",
    )
    preempt: Literal["last", "first", "never"] = Field(
        "last",
        description="paged: which running request starts anew when no block is left, the last or "
        "the first admitted; never admits a request only if all its output has room too",
    )


class Handoff(Model):
    """The way of the KV cache from prefill to decode: set-up, then bytes / bandwidth on a link."""

    overhead: Seconds = Field(
        0.0, description="seconds of set-up per request, which keep nobody from the link"
    )
    bandwidth: Bandwidth | None = Field(None, description="bytes per second; null is infinite")
    link: Literal["none", "fifo", "fair"] = Field(
        "none",
        description="none gives every transfer the whole bandwidth, fifo to one after the other, "
        "fair to all in equal shares",
    )
    scope: Literal["worker", "cluster"] = Field(
        "worker", description="fifo, fair: one link for each prefill worker, or one for all"
    )

    @model_validator(mode="after")
    def _links_have_a_bandwidth(self) -> Self:
        if self.link != "none" and self.bandwidth is None:
            raise ValueError(f"link '{self.link}' needs a bandwidth; allowed without: none")
        return self


class Engine(Model):
    """How the workers of both pools behave."""

    prefill: Prefill = Prefill()
    decode: Decode = Decode()
    cache: PrefixCache = PrefixCache()
    memory: Memory = Memory()
    handoff: Handoff = Handoff()
    first_token: Literal["prefill", "handoff", "decode-step"] = Field(
        "handoff", description="the event that ends TTFT"
    )
    local_prefill_below: Annotated[Whole, Field(ge=0)] = Field(
        0,
        description="prompts with fewer uncached tokens than this on the decode workers go to one "
        "of them at once, which stops decoding for the time of their prefill; 0 is never",
    )

    @model_validator(mode="after")
    def _chunks_need_blocks(self) -> Self:
        if self.prefill.chunked and not self.memory.paged:
            raise ValueError("'prefill.chunked' needs 'memory.paged': true")
        return self

    @model_validator(mode="after")
    def _tiers_need_unpaged_memory(self) -> Self:
        cache = self.cache
        lower = any(tier.capacity_tokens for tier in (cache.host, cache.disk, cache.network))
        if self.memory.paged and (cache.eviction != "lru" or lower):
            raise ValueError(
                "'cache.eviction' other than lru and the tiers below HBM need 'memory.paged': false"
            )
        return self

    @model_validator(mode="after")
    def _blocks_have_one_way(self) -> Self:
        if self.memory.paged and self.handoff.link != "none":
            raise ValueError("'handoff.link' other than none needs 'memory.paged': false")
        if self.memory.paged and self.local_prefill_below:
            raise ValueError("'local_prefill_below' above 0 needs 'memory.paged': false")
        return self
