"""Measure the service times of one tensor-parallel shard on this machine's GPU.

    pip install --require-hashes -r requirements-gpu.lock      PyTorch and Triton, if you have none
    python scripts/measure_latency.py                          all shards, every cell
    python scripts/measure_latency.py --grid quick             about half a minute a shard
    python scripts/measure_latency.py --model llama31-70b-fp8-tp4     one shard; may be repeated
    python scripts/measure_latency.py --device cpu             does the script run? (no GPU)

One GPU holds one shard, whole: all layers of Llama-3.1-70B at TP=4, of Nemotron-4-340B at TP=8, or
Llama-3.1-8B. Random FP8 (E4M3) weights with per-tensor scales, every layer its own; bf16
activations between kernels and bf16 KV cache; FP8 matrix products by cuBLASLt, norms, rotary
positions and activations by fused Triton kernels, attention by PyTorch's FlashAttention; embedding,
last norm, the shard's part of the output head and the greedy choice. A step is one CUDA graph.

  decode   one step of `batch` sequences that attend to `context` tokens each
  prefill  one step of `prompts` prompts of `tokens` new tokens behind `cached` ones each
  jitter   600 replays of a decode step of 64 sequences at context 256, and of a prompt of 128

It writes DIR/MODEL-GPU.json, all times in milliseconds: median (`ms`), quantiles and extremes of
`n` replays. Stop it whenever you like: each cell is kept at once, and the same command measures
only what is missing. Each line on stderr has a cell's time, the least that memory allows (its bytes
over the measured bandwidth), what share of the time that is, and how long the rest will take. A
cell that does not fit into memory is left out. The kernels are held against plain PyTorch first.

Not in these times: all-reduces between shards (two a layer), the engine's scheduler, sampling, the
transfer of KV caches. Weights are random: they cost what real ones cost.

It needs an NVIDIA GPU of compute capability 8.9 or later: 24 GB for the smaller cells of the 8B and
the 70B, 80 GB for most cells of all three. Nothing in the artefact depends on it; its files can
take the place of those in config/reference/silicon, of which scripts/tabulate_latency.py makes
tables. Those came from a predecessor of this script. This one has run on CPUs only: its steps are
tested there, its Triton kernels in Triton's interpreter, and they compile for an H100, but no GPU
has run it yet. Compare its first file with a committed one.
"""

import argparse
import importlib.util
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# The machine with the GPU may have PyTorch and this folder, and no more.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from shard import grid
from shard.measure import measure
from shard.report import Report
from shard.shapes import MODELS, Model, tiny

from anarchy.common.errors import InputError

if TYPE_CHECKING:
    from shard.devices import Device

OUT = Path("results/machine/measured")
NEEDED = {"cuda": ("torch", "triton"), "cpu": ("torch",)}
INTERRUPTED = 130


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", action="append", choices=MODELS, help="default: all of them")
    parser.add_argument("--grid", choices=grid.GRIDS, default="full", help="default: full")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    parser.add_argument(
        "--device", choices=NEEDED, default="cuda", help="cpu: a tiny model, to try the script out"
    )
    options = parser.parse_args()
    if options.device == "cpu" and options.model:
        parser.error("--device cpu: it runs a tiny model of its own; leave --model out")
    return options


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(device: "Device", stem: str, model: Model, cells: list[grid.Cell], out: Path) -> None:
    """Measure all that is missing of a model."""
    path = out / f"{stem}-{short_name(device.made_by['gpu'])}.json"
    report = Report(path, model, device.made_by, device.copy_tb_s)
    missing = [cell for cell in cells if not report.has(cell)]
    say(f"{path}: {len(cells) - len(missing)} of {len(cells)} cells are there")
    if missing:
        shard = device.build(model)
        replay = partial(device.replay, shard)
        measure(report, missing, model.shape, device.memory, replay, say)


def short_name(gpu: str) -> str:
    """`NVIDIA H100 80GB HBM3` is `h100`."""
    return gpu.removeprefix("NVIDIA ").split()[0].lower()


def main() -> int:
    """Exit code 0: measured; 2: no GPU, no PyTorch, or what was measured cannot be."""
    options = arguments()
    on_cpu = options.device == "cpu"
    models = {"tiny": tiny(MODELS["llama31-70b-fp8-tp4"])} if on_cpu else MODELS
    cells = grid.trial() if on_cpu else grid.GRIDS[options.grid]()
    try:
        for package in NEEDED[options.device]:
            if not importlib.util.find_spec(package):
                raise InputError(
                    f"{package} is not installed; allowed: a Python with the group gpu of "
                    "pyproject.toml"
                )
        warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # of which it has no use
        from shard.devices import open_device

        device = open_device(options.device)
        for stem in options.model or models:
            run(device, stem, models[stem], cells, options.out)
    except (InputError, OSError) as fault:
        say(str(fault))
        return 2
    except KeyboardInterrupt:
        say("interrupted; the same command goes on")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
