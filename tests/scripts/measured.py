"""What an H200 and an H100 were measured to do, on 2026-11-26: facts to hold the script against."""

SHAPES = {
    "llama31-70b-tp4": {
        "layers": 80,
        "d": 8192,
        "q": 16,
        "kv": 2,
        "hd": 128,
        "ffn": 7168,
        "gated": True,
        "vocab": 32064,
        "tp": 4,
    },
    "nemotron4-340b-tp8": {
        "layers": 96,
        "d": 18432,
        "q": 12,
        "kv": 1,
        "hd": 192,
        "ffn": 9216,
        "gated": False,
        "vocab": 32000,
        "tp": 8,
    },
    "llama31-8b-tp1": {
        "layers": 32,
        "d": 4096,
        "q": 32,
        "kv": 8,
        "hd": 128,
        "ffn": 14336,
        "gated": True,
        "vocab": 128256,
        "tp": 1,
    },
}

WEIGHTS_GB = {
    "llama31-70b-tp4": 17.378050048,
    "nemotron4-340b-tp8": 42.045014016,
    "llama31-8b-tp1": 7.50518272,
}

KV_BYTES_PER_TOKEN = {
    "llama31-70b-tp4": 81920,
    "nemotron4-340b-tp8": 73728,
    "llama31-8b-tp1": 131072,
}

COPY_TB_S = {"h200": 4.283576300824429, "h100": 3.030019184451724}

BATCHES = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256]
LARGEST_BATCH = {
    128: 256,
    256: 256,
    512: 256,
    1024: 256,
    2048: 256,
    4096: 256,
    8192: 128,
    16384: 64,
}
"""Of each context, on an H200."""

PREFILLS = [
    *[
        (1, tokens, 0, 20)
        for tokens in [16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096]
    ],
    *[(1, tokens, 0, 6) for tokens in [6144, 8192, 16384]],
    *[(prompts, 128, 0, 20) for prompts in [2, 3, 4, 6, 8, 12, 16, 32]],
    (64, 128, 0, 6),
    *[
        (1, tokens, cached, 20)
        for tokens, cached in [(16, 112), (128, 384), (512, 1536), (512, 7680), (2048, 6144)]
    ],
]
"""Prompts, new tokens, cached tokens, replays."""

FASTEST = [
    ("llama31-70b-tp4", "h200", (1, 1, 127), 7.516863822937012),
    ("llama31-70b-tp4", "h200", (24, 1, 127), 7.35587215423584),
    ("llama31-70b-tp4", "h100", (1, 1, 127), 9.411616325378418),
    ("nemotron4-340b-tp8", "h200", (24, 1, 127), 14.473823547363281),
    ("nemotron4-340b-tp8", "h100", (1, 1, 127), 19.491775512695312),
    ("llama31-8b-tp1", "h200", (32, 1, 127), 3.1920320987701416),
]
"""Model, GPU, step, and the least of its times in milliseconds."""
