"""The model without weights is what a frontend reads of one."""

import json
from pathlib import Path

from anarchy.live.model_folder import LONGEST, WORDS, write_model


def test_every_word_is_one_token(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    tokenizer = json.loads((tmp_path / "model/tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer["model"]["type"] == "WordLevel"
    assert [tokenizer["model"]["vocab"][word] for word in WORDS] == list(range(len(WORDS)))
    assert tokenizer["pre_tokenizer"] == {"type": "WhitespaceSplit"}
    assert not any(word.split() != [word] for word in WORDS)


def test_the_files_agree(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    files = {
        p.name: json.loads(p.read_text(encoding="utf-8")) for p in (tmp_path / "model").iterdir()
    }
    config, generation = files["config.json"], files["generation_config.json"]
    assert config["vocab_size"] == len(WORDS)
    assert config["max_position_embeddings"] == LONGEST
    assert config["eos_token_id"] == generation["eos_token_id"] < len(WORDS)
    assert files["tokenizer_config.json"]["tokenizer_class"]
