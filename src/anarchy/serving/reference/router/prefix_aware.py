"""Policies that weigh the cached prefix of a prompt against the load of the workers.

The decode pool sees no overlap unless `decode_overlap` says so, as in Dynamo. q_j stands for the
uncached tokens waiting for or in prefill on worker j, b for the tokens of a block, f for the
prompt's blocks, o_j for those of its leading blocks that j holds, d_j for the blocks of the
requests placed on j with the new one, a_j for their number without it.
"""

from collections.abc import Iterator, Sequence

from anarchy.serving.reference.router.policy import (
    KvRouter16,
    Policy,
    View,
    potential_blocks,
    register,
)
from anarchy.serving.reference.router.sampled import CHOICES, Sampled


def seen_overlaps(policy: Policy, view: View) -> Sequence[int]:
    """The overlaps that the policy may look at in this pool."""
    if view.pool == "prefill" or policy.parameters.decode_overlap:
        return view.overlaps
    return [0] * len(view.active)


@register("lmetric")
class LMetric(Policy):
    """Prefill: cost_j = (q_j / b + f - o_j) * (d_j - f + 1); decode: cost_j = d_j.

    The product needs no weight: any scale of either factor cancels in the comparison. The second
    factor is active blocks plus one, and blocks of prompts placed on a prefill worker count,
    because without them the product would be its first factor. A decode pool has no prefill, and
    the source keeps the plain cost there.

    Source: dynamo pull request 11028, after Zhang et al. (2026, arXiv:2603.15202), whose second
    factor is the batch size.
    """

    def costs(self, view: View) -> list[float]:
        if view.pool == "decode":
            return potential_blocks(view)
        return [
            (queued / view.block_tokens + view.prompt_blocks - overlap) * (blocks + 1)
            for queued, overlap, blocks in zip(
                view.queued_tokens, view.overlaps, view.active_blocks, strict=True
            )
        ]


@register("load-aware")
class LoadAware(Policy):
    """cost_j = load_weight * (a_j - mean a) / max(1, mean a) - o_j / f.

    Both terms are free of units: one whole hit is worth `load_weight` times the mean load.

    Source: vLLM production-stack pull request 1035, which maximises the negative; there o_j / f
    counts tokens.
    """

    def costs(self, view: View) -> list[float]:
        mean = sum(view.active) / len(view.active)
        weight = self.parameters.load_weight / max(1.0, mean)
        return [
            weight * (active - mean) - overlap / view.prompt_blocks
            for active, overlap in zip(view.active, seen_overlaps(self, view), strict=True)
        ]


@register("threshold")
class Threshold(Policy):
    """cost_j = a_j while max a - min a >= imbalance, else -o_j.

    Equal overlaps, and so a decode pool that sees none, leave the choice to the tie rule as long as
    loads are balanced.

    Source: vLLM production-stack pull request 884.
    """

    def costs(self, view: View) -> list[float]:
        active = view.active
        if max(active) - min(active) >= self.parameters.imbalance:
            return [float(requests) for requests in active]
        return [-float(overlap) for overlap in seen_overlaps(self, view)]


@register("decaying-credit")
class DecayingCredit(KvRouter16):
    """The cost of kv-1.6 with its credit over 1 + credit_decay * (q_j - min q) / (b f).

    A hit is worth less on a worker whose prefill queue is longer than the shortest one, measured
    in prompts of the request's size. A decode pool queues no prefill, so nothing decays there.

    Source: dynamo pull request 10574.
    """

    def credit(self, view: View) -> Sequence[float]:
        shortest = min(view.queued_tokens)
        decay = self.parameters.credit_decay / (view.block_tokens * view.prompt_blocks)
        return [
            credit / (1 + decay * (queued - shortest))
            for credit, queued in zip(super().credit(view), view.queued_tokens, strict=True)
        ]


@register("two-choice-hashing")
class TwoChoiceHashing(Sampled):
    """cost_j = a_j, on the two workers that the head of the prompt hashes to.

    The first `hash_blocks` blocks fix two different workers, so prompts that share them meet in
    two caches at most and still avoid the busier one. Prompts without named blocks draw both.

    Source: arXiv:2602.06502 (two hash functions of the prefix, the less loaded of two workers).
    """

    def costs(self, view: View) -> list[float]:
        return [float(active) for active in view.active]

    def candidates(self, view: View, ties: Iterator[float]) -> Sequence[int]:
        workers = len(view.active)
        if workers < CHOICES:
            return [0]
        if not view.blocks:
            first, second = int(next(ties) * workers), int(next(ties) * (workers - 1))
        else:
            head = view.blocks[min(self.parameters.hash_blocks, len(view.blocks)) - 1]
            # Numbers that differ by one are coprime, so these remainders are independent.
            value = mixed(head)
            first, second = value % workers, value % (workers - 1)
        return [first, second + (second >= first)]


def mixed(value: int) -> int:
    """A 64-bit hash of an integer, the same on every machine and in every process.

    Source: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    mask = (1 << 64) - 1
    value = (value + 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)
