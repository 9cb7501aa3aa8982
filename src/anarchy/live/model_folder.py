"""A model without weights: what the frontend reads of one, with a tokenizer of whole words."""

import json
from pathlib import Path

WORDS = [f"w{number}" for number in range(30_000)]
"""The vocabulary: word i is the one token i, and words are separated by a blank."""

LONGEST = 32_768
"""Tokens of the longest prompt and output together."""

_FILES = {
    "tokenizer.json": {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: token for token, word in enumerate(WORDS)},
            "unk_token": WORDS[0],
        },
    },
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"},
    "config.json": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(WORDS),
        "max_position_embeddings": LONGEST,
        "bos_token_id": len(WORDS) - 2,
        "eos_token_id": len(WORDS) - 1,
    },
    "generation_config.json": {"eos_token_id": len(WORDS) - 1},
}


def write_model(folder: Path) -> None:
    """Write the files of the model to a new folder."""
    folder.mkdir()
    for name, content in _FILES.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
