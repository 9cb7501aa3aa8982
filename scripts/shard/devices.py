"""What a step runs on: a GPU that replays it as one graph, or a CPU that shows that it runs."""

import gc
import math
import subprocess
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Protocol

import torch

from anarchy.common.errors import InputError
from shard import plain
from shard.agreement import check_kernels
from shard.layers import Shard
from shard.measure import Memory
from shard.shapes import Model
from shard.steps import Step

WARM_UP = 5
"""Replays before those that count."""

COPIED = 2**31
"""Bytes of the tensor that measures the bandwidth: many times a cache."""

OLDEST = (8, 9)
"""Compute capability from which on cuBLASLt multiplies FP8."""


class Device(Protocol):
    """Where shards are built and replayed. `made_by` has the versions; `copy_tb_s` is measured."""

    made_by: Mapping[str, str]
    copy_tb_s: float
    memory: Memory

    def build(self, model: Model) -> Shard: ...

    def replay(self, shard: Shard, step: Step, times: int) -> list[float]: ...


class Cpu:
    """Runs every step as it is, for tests. A tiny shard stays in the cache: there is no floor."""

    def __init__(self) -> None:
        self.made_by: Mapping[str, str] = {
            "gpu": "CPU",
            "torch": torch.__version__,
            "cuda": "none",
            "driver": "none",
        }
        self.copy_tb_s = 0.0
        self.memory = Memory(bandwidth=1e12, cache=math.inf)

    def build(self, model: Model) -> Shard:
        return Shard(model, plain, torch.device("cpu"))

    @torch.inference_mode()
    def replay(self, shard: Shard, step: Step, times: int) -> list[float]:
        """Milliseconds of each run."""
        tokens = shard.random_tokens(step.prompts, step.tokens)
        cache = shard.random_cache(step.prompts, step.context)
        starts = []
        for _ in range(times + 1):
            starts.append(time.perf_counter())
            shard.step(tokens, cache, step.cached)
        return [(end - start) * 1e3 for start, end in pairwise(starts)]


class Gpu:
    """The first CUDA device that this process sees."""

    def __init__(self) -> None:
        self.properties = torch.cuda.get_device_properties(0)
        capability = (self.properties.major, self.properties.minor)
        if capability < OLDEST:
            raise InputError(
                f"{self.properties.name}: compute capability {capability[0]}.{capability[1]} has "
                f"no FP8 matrix products; allowed: {OLDEST[0]}.{OLDEST[1]} and later"
            )
        self.device = torch.device("cuda", 0)
        self.made_by: Mapping[str, str] = {
            "gpu": self.properties.name,
            "torch": torch.__version__,
            "cuda": str(torch.version.cuda),
            "driver": _driver(),
        }
        copying, reading = _bandwidths(self.device)
        self.copy_tb_s = copying / 1e12
        self.memory = Memory(max(copying, reading), self.properties.L2_cache_size)

    @torch.inference_mode()
    def build(self, model: Model) -> Shard:
        """A shard with the Triton kernels, after they were held against plain PyTorch.

        Raises InputError if they disagree or the weights do not fit.
        """
        from shard import kernels

        check_kernels(plain, kernels, model, self.device)
        try:
            return Shard(model, kernels, self.device)
        except torch.OutOfMemoryError:
            needed = model.shape.weight_bytes / 1e9
            raise InputError(
                f"{model.name}: its weights of {needed:.1f} GB do not fit into the memory of "
                f"{self.properties.name}; allowed: a larger GPU or another --model"
            ) from None

    @torch.inference_mode()
    def replay(self, shard: Shard, step: Step, times: int) -> list[float]:
        """Milliseconds of each replay of the step's graph, one right behind the other.

        Events lie between the replays, so that the host's time to launch them is hidden as an
        engine hides it. The first, eager run compiles kernels and finds out what does not fit.
        """
        gc.collect()
        torch.cuda.empty_cache()
        try:
            tokens = shard.random_tokens(step.prompts, step.tokens)
            cache = shard.random_cache(step.prompts, step.context)
            shard.step(tokens, cache, step.cached)
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                shard.step(tokens, cache, step.cached)
        except torch.OutOfMemoryError:
            raise MemoryError from None
        for _ in range(WARM_UP):
            graph.replay()
        return _timed(graph.replay, times)


def open_device(name: str) -> Device:
    """`cuda` or `cpu`. Raises InputError if there is no such device, or one that is too old."""
    if name == "cpu":
        return Cpu()
    if not torch.cuda.is_available():
        raise InputError("PyTorch finds no CUDA GPU; allowed: a machine with one, or --device cpu")
    return Gpu()


def _timed(call: Callable[[], object], times: int) -> list[float]:
    """Milliseconds on the GPU from the end of each call to the end of the next."""
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
    marks[0].record()
    for mark in marks[1:]:
        call()
        mark.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in pairwise(marks)]


def _bandwidths(device: torch.device) -> tuple[float, float]:
    """Bytes a second that pass through memory in a copy (read and written) and in a sum (read)."""
    source = torch.zeros(COPIED // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    copying = _timed(lambda: target.copy_(source), 20)
    reading = _timed(source.sum, 20)
    return 2e3 * COPIED / min(copying), 1e3 * COPIED / min(reading)


def _driver() -> str:
    """Version of the GPU's driver."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said.stdout.split()[0]
