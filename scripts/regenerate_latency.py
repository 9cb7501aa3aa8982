"""Regenerate the tables of config/latency with aiconfigurator (Apache-2.0, works offline).

    pip install aiconfigurator==0.12.0
    python scripts/regenerate_latency.py                   write all tables
    python scripts/regenerate_latency.py NAME ...          write some
    python scripts/regenerate_latency.py --check NAME ...  compare with the committed ones instead
    python scripts/regenerate_latency.py --check-scaling   hold the roofline against the estimator

The tables are what a performance model estimates; nothing is measured here. A table takes about
half a minute.
"""

import argparse
import importlib.metadata
import logging
import sys
from pathlib import Path
from typing import Any

from anarchy.common.files import write_text
from anarchy.common.paths import LATENCY, ROOT
from anarchy.serving.service_times.roofline import Roofline, Shape
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.table_files import load_table, table_text

VERSION = "0.12.0"
CHECKPOINT = "nvidia/Llama-3.1-70B-Instruct-FP8"
TOKENS = [128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768]
BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
CONTEXTS = [1024, 4096]
TABLES = {
    f"llama31-70b-fp8-tp4-{gpu}-{backend}": (f"{gpu}_sxm", backend)
    for gpu in ("b200", "h200", "h100")
    for backend in ("trtllm", "vllm", "sglang")
}


def estimate(model: str, system: str, backend: str, gpus: int, **options: Any) -> Any:
    """One estimate of aiconfigurator; times in milliseconds."""
    from aiconfigurator.cli.api import cli_estimate

    return cli_estimate(model, system, backend_name=backend, tp_size=gpus, **options)


def prefill_ms(model: str, system: str, backend: str, gpus: int, tokens: int) -> Any:
    """One prompt alone on the worker."""
    return estimate(
        model, system, backend, gpus, mode="static_ctx", isl=tokens, osl=1, batch_size=1
    )


def itl_ms(
    model: str, system: str, backend: str, gpus: int, batch: int, context: int, **options: Any
) -> Any:
    """One decode step of `batch` sequences, each with `context` tokens."""
    return estimate(
        model,
        system,
        backend,
        gpus,
        mode="static_gen",
        isl=context,
        osl=2,
        batch_size=batch,
        **options,
    )


def table(name: str) -> LatencyTable:
    """Estimate one table, rounded to 10 us (prefill) and 1 us (ITL)."""
    system, backend = TABLES[name]
    worker = (CHECKPOINT, system, backend, 4)
    prefill = [prefill_ms(*worker, tokens) for tokens in TOKENS]
    itl = [[itl_ms(*worker, batch, context).tpot for batch in BATCHES] for context in CONTEXTS]
    return assemble(
        system,
        backend,
        prefill[0].backend_version,
        [round(entry.ttft, 2) for entry in prefill],
        [[round(value, 3) for value in row] for row in itl],
    )


def assemble(
    system: str, backend: str, version: str, prefill: list[float], itl: list[list[float]]
) -> LatencyTable:
    """A table of milliseconds as its model, in seconds."""
    data = {
        "model": CHECKPOINT,
        "system": system,
        "backend": backend,
        "backend_version": version,
        "tensor_parallel": 4,
        "provenance": {
            "kind": "estimated",
            "source": "aiconfigurator, https://github.com/ai-dynamo/aiconfigurator",
            "version": VERSION,
            "licence": "Apache-2.0",
            "call": "cli_estimate, mode static_ctx (osl 1, batch 1) and static_gen (osl 2), "
            "tp_size 4, model-default quantisation (FP8 weights, KV cache and attention)",
            "note": "estimates of a performance model, not measurements",
        },
        "prefill": {"tokens": TOKENS, "seconds": [round(ms / 1000, 5) for ms in prefill]},
        "itl": {
            "batch": BATCHES,
            "context": CONTEXTS,
            "seconds": [[round(ms / 1000, 6) for ms in row] for row in itl],
        },
    }
    return LatencyTable.model_validate(data)


def check_scaling() -> None:
    """Scale the 70B's times to Llama-3.1-405B on 8 GPUs and compare with its own estimates."""
    small = Shape(
        model="Llama-3.1-70B",
        source="Llama 3 report, 2024",
        parameters=70_600_000_000,
        layers=80,
        kv_heads=8,
        head_dimension=128,
        gpus_per_worker=4,
    )
    large = small.model_copy(
        update={"parameters": 405_900_000_000, "layers": 126, "gpus_per_worker": 8}
    )
    roofline = Roofline(tabulated=small, scaled=large)
    base = load_table(ROOT / LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
    fp8: dict[str, Any] = {
        "gemm_quant_mode": "fp8_static",
        "kvcache_quant_mode": "fp8",
        "fmha_quant_mode": "fp8",
    }
    worker = ("meta-llama/Meta-Llama-3.1-405B", "b200_sxm", "trtllm", 8)
    weights, kv = float(roofline.weights), float(roofline.kv)
    for tokens, seconds in zip(base.prefill.tokens, base.prefill.seconds, strict=True):
        own = estimate(*worker, mode="static_ctx", isl=tokens, osl=1, batch_size=1, **fp8).ttft
        print(f"prefill {tokens:6d} tokens: scaled / own = {weights * seconds * 1000 / own:.3f}")
    for j, batch in enumerate(base.itl.batch):
        low, high = (row[j] for row in base.itl.seconds)
        slope = (high - low) / (base.itl.context[1] - base.itl.context[0])
        floor = low - slope * base.itl.context[0]
        for context in base.itl.context:
            own = itl_ms(*worker, batch, context, **fp8).tpot
            ratio = (weights * floor + kv * slope * context) * 1000 / own
            print(f"itl batch {batch:3d} context {context}: scaled / own = {ratio:.3f}")


def main() -> int:
    """Exit code 0: done; 1: a table differs; 2: aiconfigurator is absent, or an unknown name."""
    parser = argparse.ArgumentParser(description="Regenerate config/latency with aiconfigurator.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--check-scaling", action="store_true", help="judge the roofline")
    options = parser.parse_args()
    unknown = set(options.names) - set(TABLES)
    if unknown:
        parser.error(f"unknown table {sorted(unknown)[0]}; allowed: {', '.join(TABLES)}")
    try:
        installed = importlib.metadata.version("aiconfigurator")
    except importlib.metadata.PackageNotFoundError:
        print(f"aiconfigurator is not installed: pip install aiconfigurator=={VERSION}")
        return 2
    if installed != VERSION:
        print(f"aiconfigurator {installed} is installed; the tables come from {VERSION}")
        return 2
    logging.disable(logging.CRITICAL)  # it warns of kernels that these models do not use
    if options.check_scaling:
        check_scaling()
        return 0
    differ = False
    for name in options.names or TABLES:
        path = ROOT / LATENCY / f"{name}.json"
        written = table_text(table(name))
        if not options.check:
            write_text(path, written)
            print(f"{name}: written")
        elif Path(path).read_text(encoding="utf-8") == written:
            print(f"{name}: reproduced")
        else:
            print(f"{name}: differs")
            differ = True
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
